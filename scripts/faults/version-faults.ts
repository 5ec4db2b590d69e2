import { randomUUID } from "node:crypto";
import { mkdtempSync, chmodSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { destroyEmbeddedPostgres, startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { openPostgresLog } from "@heliograph/log";
import {
  newDataDir,
  removeDataDir,
  startInstance,
  until,
  type Instance,
} from "@heliograph/testkit";
import { projections } from "./check-projections.ts";
import { checkOut } from "./checkout.ts";
import type { Fault } from "./faults.ts";
import { databaseUrlOf } from "./log.ts";
import type { Random } from "./random.ts";
import { openWorld, type World } from "./world.ts";

/** From a kill to the other version's owning and having done everything. */
const handOverMs = 30_000;
/** Load on each state of affairs. */
const phaseMs = 4_000;

/** A world that the other version made, on a server that neither of them looks after. */
async function openOldWorld(random: Random, ref: string | undefined): Promise<World> {
  const checkout = await checkOut(ref);
  const dataDir = mkdtempSync(join(tmpdir(), "heliograph-versions-"));
  // Root's server runs as another user, who has to pass through.
  chmodSync(dataDir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir });
  const end = async (): Promise<void> => {
    await postgres.stop();
    await destroyEmbeddedPostgres(dataDir);
    await checkout.remove();
  };
  try {
    const world = await openWorld(random, {
      entry: checkout.entry,
      env: { HELIOGRAPH_DATABASE_URL: postgres.url },
    });
    const { close } = world;
    return Object.assign(world, {
      async close() {
        await close();
        await end();
      },
    });
  } catch (error) {
    await end();
    throw error;
  }
}

const templateId = (): string => `tpl_${randomUUID().replaceAll("-", "").slice(0, 26)}`;

/** Events as only a later version writes them: a type that nobody knows, a version of a known type that nobody knows, fields that nobody knows. */
async function appendNewer(world: World): Promise<void> {
  for (const environment of ["sandbox", "live"] as const) {
    const log = await openPostgresLog({
      connection: { connectionString: databaseUrlOf(world.instance.databaseUrl, environment) },
      namespace: environment,
    });
    try {
      const { partner } = world.tenants.find((tenant) => tenant.environment === environment)!;
      const template = (): object => ({
        template_id: templateId(),
        slug: `newer-${randomUUID().slice(0, 8)}`,
        version: 1,
        channel: "sms",
        default_language: "en",
        created_at: "2030-01-01T00:00:00Z",
        languages: { en: { text: "Hello", tone: "warm" } },
        variables: {},
        mood: { colour: "red" },
      });
      const events = [
        { stream: "message", type: "MessageAdmired", version: 1, data: { by: "many" } },
        { stream: "template", type: "TemplateCreated", version: 99, data: template() },
        { stream: "template", type: "TemplateCreated", version: 1, data: template() },
      ];
      const outcomes = await log.append(
        events.map(({ stream, ...event }) => ({
          stream: `${stream}-${randomUUID()}`,
          expected: "no_stream",
          events: [{ id: randomUUID(), ...event, metadata: { partner } }],
        })),
      );
      const refused = outcomes.find(({ kind }) => kind !== "appended");
      if (refused !== undefined) throw new Error(`a newer event is ${JSON.stringify(refused)}`);
    } finally {
      await log.close();
    }
  }
}

/** Every consumer is running somewhere, and has come past what is there now. */
async function workedOff(world: World, what: string): Promise<void> {
  const first = new Map<string, number>();
  const keyOf = ({ environment, name }: { environment: string; name: string }): string =>
    `${environment}/${name}`;
  type Row = Awaited<ReturnType<typeof projections>>[number] & {
    readonly position: string | number;
    readonly head?: string | number;
    readonly status: string;
  };
  let late: readonly string[] = [];
  await until(
    async () => {
      const rows = (await projections(world)) as readonly Row[];
      for (const row of rows)
        if (!first.has(keyOf(row))) first.set(keyOf(row), Number(row.position) + row.lag_events);
      late = rows
        .filter((row) => row.status !== "running" || Number(row.position) < first.get(keyOf(row))!)
        .map((row) => `${keyOf(row)} ${row.status} at ${row.position}: ${row.last_error ?? ""}`);
      return rows.length > 0 && late.length === 0;
    },
    { timeoutMs: handOverMs, what },
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${late.join("; ")}`);
  });
}

async function accepted(world: World): Promise<number> {
  const known = new Set(world.journal.sends.flatMap(({ answers }) => answers));
  const fresh = () =>
    world.journal.sends
      .flatMap(({ answers }) => answers)
      .filter((answer) => answer.status === 202 && !known.has(answer)).length;
  await pause(phaseMs);
  await until(() => fresh() > 10, { timeoutMs: handOverMs, what: "sends are accepted" });
  return fresh();
}

async function noLetters(world: World, who: string): Promise<void> {
  const { body } = await world.admin().get("/admin/dead-letters?limit=100");
  const [letter] = body.data as { consumer: string; event_type: string; reason: string }[];
  if (letter !== undefined)
    throw new Error(`${who}: ${letter.consumer} set ${letter.event_type} aside: ${letter.reason}`);
}

async function sideBySide(world: World): Promise<string> {
  const dataDir = newDataDir();
  const startNew = async (): Promise<Instance> =>
    startInstance({
      dataDir,
      env: {
        ...world.env,
        HELIOGRAPH_MASTER_KEY: readFileSync(join(world.dataDir, "master.key"), "utf8").trim(),
      },
    });
  const kill = async (instance: Instance): Promise<void> => {
    world.journal.interruptions++;
    instance.kill("SIGKILL");
    await instance.exited;
  };
  let old = world.instance;
  const counts = { old: 0, new: 0 };
  const tookMs: number[] = [];
  const handOver = async (to: Instance, what: string): Promise<void> => {
    const startedAt = performance.now();
    world.instance = to;
    await workedOff(world, what);
    tookMs.push(performance.now() - startedAt);
  };

  await appendNewer(world);
  counts.old += await accepted(world);
  await workedOff(world, "the old version comes past newer events");
  await noLetters(world, "the old version");

  let young = await startNew();
  try {
    // The old one owns everything and serves, on tables that the new one has brought up to date.
    counts.old += await accepted(world);
    await workedOff(world, "the old version goes on beside the new one");
    world.instance = young;
    counts.new += await accepted(world);
    for (let round = 0; round < 2; round++) {
      await kill(old);
      await handOver(young, "the new version takes over");
      counts.new += await accepted(world);
      old = await world.start();
      world.instance = old;
      counts.old += await accepted(world);
      await kill(young);
      await handOver(old, "the old version takes over");
      counts.old += await accepted(world);
      young = await startNew();
    }
    // The upgrade itself: the old one finishes what it has and goes.
    world.instance = young;
    const { code } = await old.stop();
    if (code !== 0) throw new Error(`the old version ended with ${code}: ${old.output()}`);
    await handOver(young, "the new version takes over for good");
    counts.new += await accepted(world);
    await noLetters(world, "both versions");
  } finally {
    // What the checks ask, and the end of the world stops.
    if (world.instance !== young) await old.stop();
    world.instance = young;
    void young.exited.then(() => removeDataDir(dataDir));
  }
  return `${counts.old} accepted by the old version and ${counts.new} by this one; hand-overs took ${tookMs.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(", ")}`;
}

/** An upgrade as `docs/operating/deploying.md` says it: `ref` is what runs first, the last commit before the engines when left out. */
export const versionFaults = (ref: string | undefined): readonly Fault[] => [
  {
    name: "the previous version runs beside this one, and leases move both ways",
    long: true,
    open: (random) => openOldWorld(random, ref),
    run: sideBySide,
  },
];
