type State = "delivered" | "undelivered" | "under way";

/** `message_state`, section 5.2.28. */
export const states: Readonly<Record<number, readonly [word: string, state: State]>> = {
  1: ["ENROUTE", "under way"],
  2: ["DELIVRD", "delivered"],
  3: ["EXPIRED", "undelivered"],
  4: ["DELETED", "undelivered"],
  5: ["UNDELIV", "undelivered"],
  6: ["ACCEPTD", "under way"],
  7: ["UNKNOWN", "under way"],
  8: ["REJECTD", "undelivered"],
};
/** The words of appendix B, and the same written out. Any other changes nothing. */
export const words: ReadonlyMap<string, State> = new Map([
  ...Object.values(states),
  ["DELIVERED", "delivered"],
  ["UNDELIVERABLE", "undelivered"],
  ["UNDELIVERED", "undelivered"],
  ["REJECTED", "undelivered"],
  ["FAILED", "undelivered"],
]);

/** Whether it is the word of a state in which nothing failed, in any case of its letters. */
export const isNoFailure = (word: string): boolean => {
  const state = words.get(word.toUpperCase());
  return state !== undefined && state !== "undelivered";
};
