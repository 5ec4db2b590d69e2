import { spawnService, until, type SpawnedService } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";

const child = new URL("./importer-child.ts", import.meta.url).pathname;
let world: World;
const running: SpawnedService[] = [];
beforeAll(async () => {
  world = await openWorld({
    services: [service],
    partners: [{}, {}],
    // That of the child.
    env: { HELIOGRAPH_MASTER_KEY: Buffer.alloc(32).toString("hex") },
  });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});
afterAll(() => world.close());

const start = (failpoint = ""): SpawnedService => {
  const url = new URL(world.databaseUrl);
  url.pathname += "_sandbox";
  const env = { HELIOGRAPH_FAILPOINT: failpoint };
  const started = spawnService(child, env, [url.href, "none:1"]);
  running.push(started);
  return started;
};
const pool = () => world.platform.contexts.sandbox.pool;

/** Rows of every kind in every batch: new ones with and without an id, changes of earlier ones, and wrong ones. */
function file(rows: number): { readonly text: string; readonly expected: object } {
  const lines = ["name,phone,email"];
  let [created, updated, failed] = [0, 0, 0];
  for (let row = 1; row <= rows; row++)
    if (row % 10 === 0) {
      lines.push(`changed ${row},+1555${String(row - 9).padStart(7, "0")},`);
      updated++;
    } else if (row % 10 === 5) {
      lines.push(`wrong ${row},0444123456,`);
      failed++;
    } else if (row % 10 === 7) {
      lines.push(`nameless ${row},,`);
      created++;
    } else {
      lines.push(`new ${row},+1555${String(row).padStart(7, "0")},n${row}@b.example`);
      created++;
    }
  return { text: lines.join("\n"), expected: { rows, created, updated, skipped: 0, failed } };
}

async function upload(text: string, key: string): Promise<string> {
  const headers = { "content-type": "text/csv" };
  const { status, body } = await world.call("POST", "/api/v1/contact-imports", {
    key,
    raw: text,
    headers,
  });
  expect(status).toBe(202);
  return body.id;
}
const read = async (id: string, key: string) =>
  (await world.call("GET", `/api/v1/contact-imports/${id}`, { key })).body;
async function made(partner: string): Promise<{ created: number; ids: number; errors: number }> {
  const { rows } = await pool().query(
    `select (select count(*)::int from log.events where type = 'ContactCreated' and metadata::jsonb ->> 'partner' = $1) as created,
      (select count(distinct stream)::int from log.events where type = 'ExternalIdClaimed' and metadata::jsonb ->> 'partner' = $1) as ids,
      (select count(*)::int from contact_imports.errors e join contact_imports.imports i on i.id = e.import_id where i.partner = $1) as errors`,
    [partner],
  );
  return rows[0];
}

test("an import that is killed again and again in the middle ends with exact counts and every contact once", async () => {
  const { id: partner, key } = world.partners[0]!;
  const { text, expected } = file(2_100);
  const id = await upload(text, key);
  for (const failpoint of [
    "contacts.import.claimed:kill@1",
    "contacts.claimed:kill@7",
    "contacts.import.applied:kill@1",
    "contacts.import.counted:kill@1",
    "contacts.import.applied:kill@2",
    "contacts.import.ended:kill@1",
  ]) {
    const { signal } = await start(failpoint).exited;
    expect(signal, failpoint).toBe("SIGKILL");
    const seen = await read(id, key);
    expect(seen.created + seen.updated + seen.skipped + seen.failed).toBe(seen.rows);
  }
  // Killed after it had counted all and before it forgot the file, which the next one does.
  expect(await read(id, key)).toMatchObject({ ...expected, status: "done" });
  start();
  await until(
    async () => (await pool().query("select from contact_imports.chunks")).rowCount === 0,
    {
      timeoutMs: 20_000,
    },
  );
  const { created, failed } = expected as { created: number; failed: number };
  expect(await made(partner)).toEqual({ created, ids: (created - 210) * 2, errors: failed });
}, 240_000);

test("of two processes one runs an import, and another takes over when it is killed", async () => {
  const { id: partner, key } = world.partners[1]!;
  const { text, expected } = file(1_100);
  const children = [start("contacts.import.counted:kill@1"), start()];
  await Promise.all(children.map((each) => each.outputMatching(/running/)));
  const id = await upload(text, key);
  const done = await until(
    async () => {
      const found = await read(id, key);
      return found.finished_at === null ? undefined : found;
    },
    { timeoutMs: 60_000 },
  );
  expect(done).toMatchObject({ ...expected, status: "done" });
  const { created, failed } = expected as { created: number; failed: number };
  expect(await made(partner)).toEqual({ created, ids: (created - 110) * 2, errors: failed });
}, 120_000);
