/**
 * Joins what is asked for while an earlier question is on its way into one question: many who ask for one thing each cost a query and a commit for all of them instead of each.
 * The first one does not wait. `ask` is given distinct items and says by which name each answer is found.
 */
export function gathered<Item, Answer>(
  nameOf: (item: Item) => string,
  ask: (items: readonly Item[]) => Promise<ReadonlyMap<string, Answer>>,
): (items: readonly Item[]) => Promise<ReadonlyMap<string, Answer>> {
  let waiting: Map<string, Item> | undefined;
  let next: Promise<ReadonlyMap<string, Answer>> | undefined;
  let underway: Promise<unknown> = Promise.resolve();
  return (items) => {
    waiting ??= new Map();
    for (const item of items) waiting.set(nameOf(item), item);
    next ??= underway.then(() => {
      const all = [...waiting!.values()];
      waiting = next = undefined;
      const asked = ask(all);
      underway = asked.catch(() => undefined);
      return asked;
    });
    return next;
  };
}
