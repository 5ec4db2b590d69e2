// What the README shows, compiled.
import type { decideReceipts as DecideReceipts } from "../src/decide.ts";

export function example(
  decideReceipts: typeof DecideReceipts,
  ...[state, receipts]: Parameters<typeof DecideReceipts>
): unknown {
  const { facts, park } = decideReceipts(state, receipts); // any order, any number
  return [facts, park];
}
