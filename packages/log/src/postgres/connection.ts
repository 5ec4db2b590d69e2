import pg from "pg";
import { LogUnavailable } from "../types.ts";

/** Everything stays text: rows.ts converts just what it needs, and pg's global parsers are left alone. */
const RAW_TYPES = { getTypeParser: () => (value: string) => value };

/** A connection that does not answer for this long counts as gone. Making one is work for PostgreSQL: a process, a password. */
const CONNECT_TIMEOUT_MS = 10_000;

export function clientConfig(connection: pg.PoolConfig, applicationName: string): pg.ClientConfig {
  return {
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    ...connection,
    application_name: applicationName,
    types: RAW_TYPES as unknown as pg.CustomTypesConfig,
  };
}

/** Works on a connection of its own. What PostgreSQL or the way to it fails with is thrown as `asUnavailable` has it, everything else as it is: a full disk or an interruption is not the database's. */
export async function withClient<T>(
  connection: pg.PoolConfig,
  applicationName: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(clientConfig(connection, applicationName));
  client.on("error", () => {});
  const query = client.query.bind(client) as (...statement: unknown[]) => Promise<unknown>;
  const told = (error: unknown): never => {
    throw asUnavailable(error);
  };
  client.query = ((...statement: unknown[]) => query(...statement).catch(told)) as never;
  try {
    await client.connect().catch(told);
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** The SQLSTATE of an error that PostgreSQL itself reported, undefined when the connection broke. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** True when the connection is lost, so that it is unknown whether the statement took effect. */
export function isDisconnect(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || state.startsWith("08") || state.startsWith("57P");
}

/** 53 is a lack of resources (disk full, too many connections), 58 an I/O error, 25006 a read-only standby. */
export function isOutOfService(error: unknown): boolean {
  const state = sqlState(error) ?? "";
  return state.startsWith("53") || state.startsWith("58") || state === "25006";
}

/** The error a caller sees: LogUnavailable when waiting may help, the original otherwise. */
export function asUnavailable(error: unknown): unknown {
  if (error instanceof LogUnavailable) return error;
  if (!isDisconnect(error) && !isOutOfService(error)) return error;
  return new LogUnavailable("the log's database is not available", { cause: error });
}
