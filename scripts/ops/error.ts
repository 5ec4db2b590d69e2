/** Something a person can act on: shown as one line. */
export class OpsError extends Error {
  override readonly name = "OpsError";
}

const oneLine = new Set(["OpsError", "CopyRefused", "ArchiveRefused", "ArchiveDamaged"]);

/** What is said of an error: one line where a person can act on it, the stack where it is a bug. */
export async function sayingOf(error: unknown): Promise<string> {
  if (!(error instanceof Error)) return String(error);
  if (oneLine.has(error.name)) return error.message;
  if (error.name === "LogUnavailable") return `the event log is away: ${error.message}`;
  if ((error as NodeJS.ErrnoException).syscall === "connect")
    return `the database is away: ${error.message}`;
  // A full disk, a folder that may not be written to: the message has all of it.
  if ((error as NodeJS.ErrnoException).syscall !== undefined) return error.message;
  const { refusalOf } = await import("@heliograph/platform");
  return refusalOf(error) ?? error.stack ?? error.message;
}
