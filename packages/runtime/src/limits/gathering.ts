/** Most that one run takes: what a statement with arrays does in a few milliseconds. */
const mostAtOnce = 500;

/**
 * Runs `work` with all that was asked for while the last run was under way, one run at a time: callers share a statement in place of queueing for connections. `work` answers in the order of
 * what it is given; what it throws all of them get.
 */
export function gathering<Ask, Answer>(
  work: (asks: readonly Ask[]) => Promise<readonly Answer[]>,
): (ask: Ask) => Promise<Answer> {
  type Waiting = PromiseWithResolvers<Answer> & { readonly ask: Ask };
  let waiting: Waiting[] = [];
  let running = false;

  async function run(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      const turn = waiting.slice(0, mostAtOnce);
      waiting = waiting.slice(mostAtOnce);
      try {
        const answers = await work(turn.map(({ ask }) => ask));
        for (const [index, { resolve }] of turn.entries()) resolve(answers[index]!);
      } catch (error) {
        for (const { reject } of turn) reject(error);
      }
    }
    running = false;
  }

  return (ask) => {
    const own = { ...Promise.withResolvers<Answer>(), ask };
    waiting.push(own);
    if (!running) void run();
    return own.promise;
  };
}
