/** A value of which a test knows more than its type says: an event of a type that only the test has, the data of one that it has just made. */
// oxlint-disable-next-line typescript/no-explicit-any -- that is what it is for
export const loosely = (value: unknown): any => value;
