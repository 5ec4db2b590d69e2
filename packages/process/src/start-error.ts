/** The process cannot start here; the message is one line for the person at the terminal, who can change that. */
export class StartError extends Error {
  override readonly name = "StartError";
}
