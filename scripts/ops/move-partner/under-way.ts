import { environments, type Environment } from "@heliograph/contracts";
import { databaseConfig, type Server } from "@heliograph/runtime";
import pg from "pg";
import { keysOf, openIntents, putKeys, reactors } from "./store.ts";
import type { Whole } from "./whole.ts";

/** This installation's databases, and those of the copy. */
export type Servers = { readonly source: Server; readonly copy: Server };

const noKey = "00000000-0000-0000-0000-000000000000";
/** Whose connections are no service's to whoever asks whether a database is in use. */
const application_name = "heliograph ops";

async function withBoth<Result>(
  { source, copy }: Servers,
  environment: Environment,
  work: (source: pg.Client, copy: pg.Client) => Promise<Result>,
): Promise<Result> {
  const [from, to] = [source, copy].map(
    (server) => new pg.Client({ ...databaseConfig(server, environment), application_name }),
  ) as [pg.Client, pg.Client];
  // Whoever asks next fails on it.
  for (const client of [from, to]) client.on("error", () => {});
  try {
    await from.connect();
    await to.connect();
    return await work(from, to);
  } finally {
    await Promise.all([from.end(), to.end()]);
  }
}

const has = async (client: pg.Client, table: string): Promise<boolean> =>
  (await client.query("select to_regclass($1) as it", [table])).rows[0].it !== null;

/** Why the partner cannot be moved now: there is something under way for it on either side, so that nobody knows yet whether a provider was called. */
export async function underWay(servers: Servers, partner: string): Promise<string | undefined> {
  for (const environment of environments) {
    const found = await withBoth(servers, environment, async (...sides) => {
      for (const [index, side] of sides.entries()) {
        if (!(await has(side, "dispatch.intents"))) continue;
        const { open } = (await side.query(openIntents, [partner])).rows[0];
        if (open === 0) continue;
        const about = `${open} groups of calls to providers of ${partner} in ${environment}`;
        return index === 0
          ? `${about} are under way here: let dispatch end or settle them, then make another copy`
          : `${about} were under way when the copy was made: make another`;
      }
      return undefined;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Why the partner cannot be moved now: a consumer has not done yet with what there was of it. What nobody runs here, and stands in the copy as it does here, is done there. */
export async function undone(servers: Servers, whole: Whole): Promise<string | undefined> {
  for (const environment of environments) {
    const { last, closed } = whole.get(environment)!;
    const found = await withBoth(servers, environment, async (source, copy) => {
      if (!(await has(source, "runtime.consumers"))) return undefined;
      const there = new Map<string, bigint>();
      for (const { name, position } of (await copy.query(reactors)).rows)
        there.set(name, BigInt(position));
      for (const { name, position, runs } of (await source.query(reactors)).rows) {
        const [at, copied] = [BigInt(position), there.get(name) ?? 0n];
        if (runs === true && at < last)
          return `${name} of ${environment} is at position ${at} here, before ${last}, the partner's last: wait for it, and run this again`;
        if (copied < closed && copied < at)
          return `the copy was made when ${name} of ${environment} was at position ${copied}, before ${closed}, the partner's last as it was closed: make another`;
      }
      return undefined;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Brings over the keys of personal data that were made or destroyed after the copy: they are in no log, and what was brought over is not to be read without them. */
export async function carryKeys(servers: Servers, partner: string): Promise<void> {
  for (const environment of environments)
    await withBoth(servers, environment, async (source, copy) => {
      if (!(await has(source, "vault.keys"))) return;
      // Those that are destroyed first: of a subject only one is not.
      for (const which of ["not null", "null"] as const)
        for (let after: string | undefined = noKey; after !== undefined;) {
          const { rows }: pg.QueryResult<{ id: string; row: string }> = await source.query(
            keysOf(which),
            [partner, after],
          );
          await copy.query(putKeys, [rows.map(({ row }) => row)]);
          after = rows.at(-1)?.id;
        }
    });
}
