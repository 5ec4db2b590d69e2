/** Not a connection string, or one with an option that there is not. The text stays out of the message. */
export class InvalidConnectionString extends Error {
  override readonly name = "InvalidConnectionString";
  constructor(cause: unknown) {
    super("not a connection string that EventStoreDB's client can read", { cause });
  }
}
