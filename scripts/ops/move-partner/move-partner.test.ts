import { newId, streamOf, uuid7, type EventData } from "@heliograph/contracts";
import { partnerCreated } from "@heliograph/platform";
import {
  databaseConfig,
  newLogger,
  openLog,
  prepareRuntime,
  prepareTables,
  readSettings,
  serverOf,
} from "@heliograph/runtime";
import { spawnService, testServer } from "@heliograph/testkit";
import { vaultTables } from "@heliograph/vault";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ddl } from "../../../services/dispatch/src/store.ts";
import { onControlPlane } from "../control-plane.ts";
import { endsOf } from "../copy-ends.ts";
import { copyNamespaces } from "../copy-log.ts";
import type { Target } from "../target.ts";
import { closePartner, movePartner, reopenPartner } from "./index.ts";
import { compareWhole, tailOf } from "./whole.ts";

const main = new URL("../main.ts", import.meta.url).pathname;
let databases: Awaited<ReturnType<typeof testServer>>;
const logger = newLogger("silent");
const settings = readSettings({ HELIOGRAPH_PUBLIC_URL: "https://old.example" });
const signal = new AbortController().signal;
const address = "https://new.example";
const [partner, other] = [newId("ptn"), newId("ptn")];

const urlOf = (name: string): string => {
  const url = new URL(databases.baseUrl);
  url.pathname = `/${databases.namePrefix}${name}`;
  return url.toString();
};
const targetOf = (name: string) =>
  ({ server: serverOf(urlOf(name)), settings, logger }) as unknown as Target;

beforeAll(async () => {
  databases = await testServer();
  await onControlPlane(targetOf("old"), ({ append }) =>
    append(
      [partner, other].map((partner_id) =>
        partnerCreated(
          { partner_id, name: "Shop", currency: "USD" },
          { actor: "test", createdAt: new Date().toISOString() },
        ),
      ),
    ),
  );
  for (const environment of ["live", "sandbox"] as const) {
    await toppedUp(environment, partner, "12.5");
    await toppedUp(environment, other, "7");
  }
  const pool = new pg.Pool(databaseConfig(targetOf("old").server, "live"));
  await prepareRuntime(pool);
  await prepareTables(pool, [vaultTables]);
  await pool.query(`create schema dispatch; ${ddl.replaceAll("{schema}", "dispatch")}`);
  await pool.end();
});
afterAll(() => databases.dropAll());

/** Asks the database of live. */
async function live(
  name: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<unknown[]> {
  const client = new pg.Client(databaseConfig(targetOf(name).server, "live"));
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

async function toppedUp(
  environment: "live" | "sandbox",
  owner: string,
  available: string,
): Promise<void> {
  const log = await openLog(settings, targetOf("old").server, environment, logger);
  const data: EventData<"FundsToppedUp"> = {
    currency: "USD",
    entries: [{ transaction_id: newId("wtx"), amount: available }],
    available,
    held: "0",
    covers: "0000000000000000",
  };
  const event = { id: uuid7(), type: "FundsToppedUp", data, metadata: { partner: owner } };
  const [outcome] = await log.append([
    { stream: streamOf("wallet", owner), expected: "any", events: [event] },
  ]);
  await log.close();
  expect(outcome!.kind).toBe("appended");
}

/** A copy of the databases, as a backup makes it. */
async function copyAs(name: string): Promise<string> {
  const client = new pg.Client({ connectionString: databases.baseUrl });
  await client.connect();
  for (const namespace of ["platform", "live", "sandbox"] as const) {
    const [from, to] = ["old", name].map((each) => `${databases.namePrefix}${each}_${namespace}`);
    await client.query(`create database "${to}" template "${from}"`);
  }
  await client.end();
  return urlOf(name);
}

const placesIn = async (name: string): Promise<readonly (string | undefined)[]> => {
  let places: readonly (string | undefined)[] = [];
  await onControlPlane(targetOf(name), async ({ directory }) => {
    places = [partner, other].map((id) => directory.partner(id)!.place?.state);
  });
  return places;
};

type Said<Done> = { readonly done: Done; readonly said: string };
const moving = (copy: string): Promise<Said<boolean>> =>
  hearing(() => movePartner(targetOf("old"), { partner, copy, address }, signal));

async function hearing<Done>(work: () => Promise<Done>): Promise<Said<Done>> {
  const said: string[] = [];
  const written = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
  try {
    const done = await work();
    return { done, said: said.join("") };
  } finally {
    written.mockRestore();
  }
}

/** Ends the command at one of its places by kill -9. */
async function killed(place: string, copy: string): Promise<void> {
  const env = {
    HELIOGRAPH_DATABASE_URL: urlOf("old"),
    HELIOGRAPH_FAILPOINT: `move_partner.${place}:kill`,
  };
  const command = ["move-partner", "to", partner, "--copy", copy, "--address", address];
  const { signal: by } = await spawnService(main, env, command).exited;
  expect(by).toBe("SIGKILL");
}

test("nothing moves while a call or a consumer is at work, and what comes behind the comparison is seen", async () => {
  const old = targetOf("old");
  await closePartner(old, partner);
  const copy = await copyAs("rows");
  const message = "0".repeat(26);
  const calls = `insert into dispatch.intents (id, epoch, calls) values ('1', 1, '[["msg_${message}",1,1,"gtw"]]')`;
  const said = `insert into log.events (position, stream, revision, id, type, version, recorded_at, data, metadata)
    values (1000, 'message-${message}', 0, '${uuid7()}', 'MessageAccepted', 1, 0, '{}', '{"partner":"${partner}~1"}')`;
  const at = (position: number, seen: string) =>
    `insert into runtime.consumers values ('webhooks', 'webhooks', 'reactor', ${position}, 0, 0, 'live', null, 'me', null, ${seen})`;
  for (const where of ["old", "rows"]) await live(where, said);
  await refusedFor("old", calls, /1 groups .* in live are under way here/);
  await refusedFor("rows", calls, /when the copy was made/);
  await refusedFor("old", at(0, "now()"), /webhooks of live is at position 0 here, before 1/);
  await refusedFor("old", at(1, "now()"), /copy was made when webhooks .* position 0, before 1/);
  for (const where of ["old", "rows"])
    await live(
      where,
      "set session_replication_role = replica; delete from log.events where position = 1000",
    );

  const pair = { target: old, copy, partner, signal };
  const closing = { closedAt: Date.now(), left: undefined };
  const { done: whole } = await hearing(() => compareWhole(pair, closing));
  await toppedUp("live", other, "8");
  expect((await tailOf(pair, whole!)).behind).toEqual([]);
  await toppedUp("live", partner, "13");
  const { done, said: told } = await hearing(() => tailOf(pair, whole!));
  expect(done.behind).toEqual(["live"]);
  expect(told).toMatch(/^live: the copy lacks FundsToppedUp of wallet-\w+ at position 4\n$/);
  await reopenPartner(old, partner);
}, 120_000);

test("a closed partner moves to a copy that has all of it, and whatever breaks in between one installation at most acts for it", async () => {
  const old = targetOf("old");
  const early = await copyAs("early");
  await expect(moving(early)).rejects.toThrow(/is not closed/);
  await closePartner(old, partner);
  await expect(moving(early)).rejects.toThrow(/before .* was closed/);
  await expect(moving(urlOf("old"))).rejects.toThrow(/both ends of the copy are the same/);
  expect(await placesIn("old")).toEqual(["leaving", undefined]);

  // Something of the partner comes after the copy was made.
  const late = await copyAs("late");
  await toppedUp("live", partner, "13.5");
  const refused = await moving(late);
  expect(refused.done).toBe(false);
  expect(refused.said).toMatch(
    /live +wallet +\d events of 1 streams +\d events of 1 streams +DIFFERS/,
  );
  expect(refused.said).toMatch(/live: the copy lacks FundsToppedUp of wallet-\w+ at position \d/);
  expect(await placesIn("late")).toEqual(["leaving", undefined]);
  await reopenPartner(old, partner);
  await closePartner(old, partner);

  const copy = await copyAs("new");
  const config = databaseConfig(serverOf(copy), "live");
  const service = new pg.Client({ ...config, application_name: "heliograph wallet" });
  await service.connect();
  await expect(moving(copy)).rejects.toThrow(/services use the database .*stop them first/);
  await service.end();
  await killed("others_closed", copy);
  expect(await placesIn("old")).toEqual(["leaving", undefined]);
  expect(await placesIn("new")).toEqual(["leaving", "elsewhere"]);
  await killed("left", copy);
  expect(await placesIn("old")).toEqual(["elsewhere", undefined]);
  expect(await placesIn("new")).toEqual(["leaving", "elsewhere"]);
  await expect(reopenPartner(old, partner)).rejects.toThrow(/has moved/);
  await expect(moving(late)).rejects.toThrow(/not to this copy/);

  // Something comes behind what was compared, with a key of personal data that the copy has not.
  await toppedUp("live", partner, "14.5");
  const key = [uuid7(), partner];
  await live("old", "insert into vault.keys values ($1, $2, 'cnt_1', '{}', '\\x01')", key);
  const behind = await moving(copy);
  expect(behind.done).toBe(false);
  expect(behind.said).toMatch(
    /lacks FundsToppedUp of wallet-\w+ at position \d\n.*nobody acts for it/,
  );
  expect(await placesIn("new")).toEqual(["leaving", "elsewhere"]);
  const ends = endsOf("postgres", copy, old);
  const all = { ...ends, namespaces: ["live" as const], once: true, verifyOnly: false, signal };
  expect((await hearing(() => copyNamespaces(all))).done).toBe(true);
  expect((await moving(copy)).done).toBe(true);
  expect(await live("new", "select id, partner from vault.keys")).toEqual([
    { id: key[0], partner },
  ]);
  expect((await moving(copy)).done).toBe(true);
  expect(await placesIn("old")).toEqual(["elsewhere", undefined]);
  expect(await placesIn("new")).toEqual([undefined, "elsewhere"]);
}, 120_000);

/** Refused for what the copy's rows or those here say; they are taken away again. */
async function refusedFor(where: string, rows: string, reason: RegExp): Promise<void> {
  await live(where, rows);
  await expect(moving(urlOf("rows"))).rejects.toThrow(reason);
  await live(where, "delete from dispatch.intents");
  await live(where, "delete from runtime.consumers");
}
