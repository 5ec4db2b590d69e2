/** Errors whose message is already for the person who starts the process. */
const forPeople = new Set(["SettingsError", "EmbeddedPostgresError", "StartError"]);

/**
 * What PostgreSQL says of settings, rights and resources, by the first two characters of the SQLSTATE: 28 authorization, 3D no such database, 53 and 58 no room or a broken disk,
 * 57 it ends or takes nobody in. Other codes are mistakes of ours.
 */
const refusedByServer = /^(28|3D|53|57|58)...$|^42501$|^25006$/;

type Known = Error & {
  readonly code?: string;
  readonly syscall?: string;
  readonly severity?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
};

/** The line that tells a person what to change so that the process starts; undefined when the error is a bug, whose stack is wanted. */
export function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, message, code = "", syscall, severity, address, port, hostname } = error as Known;
  if (forPeople.has(name)) return oneLine(message);
  if (syscall === "listen") return `HELIOGRAPH_PORT: ${listenRefusal(code, address, port)}`;
  if (syscall === "getaddrinfo") return `HELIOGRAPH_HOST: there is no host ${hostname}`;
  if (severity !== undefined)
    return refusedByServer.test(code) ? `HELIOGRAPH_DATABASE_URL: ${oneLine(message)}` : undefined;
  // The client of PostgreSQL gives these no code: a password that is missing, TLS that one side does not speak or trust.
  if (/^SASL: |does not support SSL|certificate/i.test(message) && syscall === undefined)
    return `HELIOGRAPH_DATABASE_URL: ${oneLine(message)}`;
  // What the operating system refuses (no space, read-only, not permitted, not a folder): it names the call and the path.
  return syscall === undefined ? undefined : oneLine(message);
}

function listenRefusal(
  code: string,
  address: string | undefined,
  port: number | undefined,
): string {
  const place = `${address}:${port}`;
  if (code === "EADDRINUSE") return `${place} is in use by another process`;
  if (code === "EADDRNOTAVAIL") return `${place}: HELIOGRAPH_HOST is no address of this machine`;
  if (code === "EACCES") return `${place} may not be opened by this user`;
  return `${place} cannot be opened (${code})`;
}

/** Programs that are started, such as initdb, say more than one. */
const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, "; ");
