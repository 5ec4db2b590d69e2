/** Not a connection string, or one with an option that there is not. Neither the text nor what the client says of it is kept: both hold the password. */
export class InvalidConnectionString extends Error {
  override readonly name = "InvalidConnectionString";
  constructor() {
    super("not a connection string that EventStoreDB's client can read");
  }
}
