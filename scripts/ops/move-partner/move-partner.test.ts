import { newId, streamOf, uuid7, type EventData } from "@heliograph/contracts";
import { partnerCreated } from "@heliograph/platform";
import { databaseConfig, newLogger, openLog, readSettings, serverOf } from "@heliograph/runtime";
import { spawnService, testServer } from "@heliograph/testkit";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { onControlPlane } from "../control-plane.ts";
import type { Target } from "../target.ts";
import { closePartner, movePartner, reopenPartner } from "./index.ts";

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
});
afterAll(() => databases.dropAll());

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

async function moving(copy: string): Promise<{ readonly done: boolean; readonly said: string }> {
  const said: string[] = [];
  const written = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
  try {
    const done = await movePartner(targetOf("old"), { partner, copy, address }, signal);
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

test("a closed partner moves to a copy that has all of it, and whatever breaks in between one installation at most acts for it", async () => {
  const old = targetOf("old");
  const early = await copyAs("early");
  await expect(moving(early)).rejects.toThrow(/is not closed/);
  await closePartner(old, partner);
  await expect(moving(early)).rejects.toThrow(/before .* was closed/);
  expect(await placesIn("old")).toEqual(["leaving", undefined]);

  // Something of the partner comes after the copy was made.
  const late = await copyAs("late");
  await toppedUp("live", partner, "13.5");
  const refused = await moving(late);
  expect(refused.done).toBe(false);
  expect(refused.said).toMatch(
    /live +wallet +2 events of 1 streams +1 events of 1 streams +DIFFERS/,
  );
  expect(refused.said).toMatch(/live: the copy lacks FundsToppedUp of wallet-\w+ at position 3/);
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
  expect((await moving(copy)).done).toBe(true);
  expect((await moving(copy)).done).toBe(true);
  expect(await placesIn("old")).toEqual(["elsewhere", undefined]);
  expect(await placesIn("new")).toEqual([undefined, "elsewhere"]);
}, 120_000);
