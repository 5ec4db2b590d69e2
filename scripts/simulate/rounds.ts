import { fork } from "node:child_process";
import fc from "fast-check";
import { play, plays, type Play } from "./play.ts";

/** Plays of one seed: some ten seconds of a processor, so that processes end together. */
const playsOfRound = 100;
/** A play makes much that is gone with it: where the young have room, few of them are copied. */
const flags = ["--max-semi-space-size=64"];

export type Failure = {
  readonly seed: number;
  readonly what: string;
  /** As small as it could be made. */
  readonly play: Play;
  readonly shrinks: number;
};
export type Round = {
  readonly seed: number;
  readonly plays: number;
  readonly messages: number;
  /** Of the processor. */
  readonly seconds: number;
  readonly failure: Failure | undefined;
};
type Asked = { readonly seed: number; readonly each: number };
/** Plays the rounds that it is asked for. */
export type Worker = { play(asked: Asked): Promise<Round>; end(): void };

/** Plays what a seed gives, the same each time; `each`: most messages of one play. */
export async function playRound({ seed, each }: Asked): Promise<Round> {
  const before = process.cpuUsage();
  let [count, messages] = [0, 0];
  let isShrinking = false;
  const property = fc.asyncProperty(plays(each), async (given) => {
    let what: readonly string[] = [];
    try {
      const played = await play(given);
      what = played.faults;
      if (!isShrinking) {
        messages += played.messages;
        count++;
      }
    } catch (error) {
      what = [error instanceof Error ? String(error.stack) : String(error)];
    }
    if (what.length === 0) return;
    isShrinking = true;
    throw new Error(what.join("\n"));
  });
  const result = await fc.check(property, { seed, numRuns: playsOfRound, endOnFailure: false });
  const { user, system } = process.cpuUsage(before);
  const [smallest] = result.counterexample ?? [];
  const error = result.errorInstance;
  const failure = smallest && {
    seed,
    what: error instanceof Error ? error.message : String(error),
    play: smallest,
    shrinks: result.numShrinks,
  };
  return { seed, plays: count, messages, seconds: (user + system) / 1e6, failure };
}

/** Of this very process. */
export const here = (): Worker => ({ play: playRound, end: () => undefined });

/** Of a process of its own. */
export function forked(program: string): Worker {
  const child = fork(program, { execArgv: flags });
  return {
    play: (asked) =>
      new Promise((resolve, reject) => {
        const gone = (code: number | null): void =>
          reject(new Error(`seed ${asked.seed}: the process that played it ended with ${code}`));
        child.once("exit", gone);
        child.once("message", (round) => {
          child.off("exit", gone);
          resolve(round as Round);
        });
        child.send(asked);
      }),
    end: () => child.disconnect(),
  };
}

/** What a process does that another one has forked. */
export function serve(): void {
  process.on(
    "message",
    (asked) => void playRound(asked as Asked).then((round) => process.send!(round)),
  );
}
