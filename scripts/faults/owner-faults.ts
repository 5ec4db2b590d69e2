import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { commitParts, Fenced } from "@heliograph/runtime";
import {
  newDataDir,
  removeDataDir,
  startInstance,
  until,
  type Instance,
} from "@heliograph/testkit";
import pg from "pg";
import type { Fault } from "./faults.ts";
import { databaseUrlOf, query } from "./log.ts";
import type { World } from "./world.ts";

const environments = ["live", "sandbox"] as const;
const stoppedMs = 60_000;
/** The owner's silence is noticed after 15 s; its sessions, a group's rebalance and the next look come on top. */
const takeOverMs = 45_000;
/** For so long the continued owner may try to go on where it was. */
const watchedMs = 8_000;
/** Nobody has taken anything over for so long: a joining copy moves shards within seconds. */
const settledMs = 8_000;

/** A consumer, or a shard of one, as its checkpoint has it. */
type Owned = {
  readonly environment: "live" | "sandbox";
  readonly schema: string;
  readonly name: string;
  readonly epoch: number;
  readonly position: bigint;
};

/** All checkpoints; with `pid` those of the consumers that this process of this machine owns. */
async function checkpoints(world: World, pid?: number): Promise<readonly Owned[]> {
  const { databaseUrl } = world.instance;
  const found: Owned[] = [];
  for (const environment of environments) {
    const consumers = await query(
      databaseUrl,
      environment,
      "select name, schema, owner from runtime.consumers",
    );
    const owned = new Set(
      consumers
        .filter(({ owner }) => pid === undefined || String(owner).endsWith(`/${pid}`))
        .map(({ name }) => name as string),
    );
    for (const schema of new Set(consumers.map((consumer) => consumer.schema as string)))
      for (const row of await query(
        databaseUrl,
        environment,
        `select name, epoch, position::text from "${schema}".checkpoint`,
      ))
        if (owned.has(row.name))
          found.push({
            environment,
            schema,
            name: row.name,
            epoch: row.epoch,
            position: BigInt(row.position),
          });
  }
  return found;
}
const sameAs =
  ({ environment, name }: Owned) =>
  (other: Owned): boolean =>
    other.environment === environment && other.name === name;

/** Commits as an owner of that epoch would, from where the checkpoint was a moment ago; most stand still for longer. */
async function commitsAs(world: World, owned: Owned, epoch: number): Promise<"fenced" | "moved"> {
  const pool = new pg.Pool({
    connectionString: databaseUrlOf(world.instance.databaseUrl, owned.environment),
    max: 1,
  });
  pool.on("error", () => undefined);
  const { schema, name, position } = owned;
  try {
    await commitParts(pool, { schema, name, from: position, to: position, epoch });
    return "moved";
  } catch (error) {
    if (error instanceof Fenced) return "fenced";
    throw error;
  } finally {
    await pool.end();
  }
}

async function fencedCount(instance: Instance): Promise<number> {
  const text = await (await fetch(`${instance.baseUrl}/metrics`)).text();
  return [...text.matchAll(/^heliograph_consumer_fenced_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

/** A whole second copy on the same databases, which stands by and serves requests too. */
export async function withCopy(
  world: World,
  work: (copy: Instance) => Promise<string>,
): Promise<string> {
  const dataDir = newDataDir();
  const copy = await startInstance({
    dataDir,
    env: {
      ...world.env,
      HELIOGRAPH_DATABASE_URL: world.instance.databaseUrl,
      HELIOGRAPH_MASTER_KEY: readFileSync(join(world.dataDir, "master.key"), "utf8").trim(),
    },
  });
  let code: number | null;
  let note: string;
  try {
    note = await work(copy);
  } finally {
    ({ code } = await copy.stop());
    await removeDataDir(dataDir);
  }
  if (code !== 0) throw new Error(`the copy ended with ${code}: ${copy.output().slice(-2_000)}`);
  return note;
}

/** What the owner owns once the copy has had its share: who owns what is shown by heartbeats, which lag behind the epochs. */
async function settledOwner(world: World, pid: number): Promise<readonly Owned[]> {
  const deadline = performance.now() + takeOverMs;
  const shown = (all: readonly Owned[]): string =>
    all
      .map(({ environment, name, epoch }) => `${environment}/${name} ${epoch}`)
      .toSorted((left, right) => (left < right ? -1 : 1))
      .join();
  let owned = await checkpoints(world, pid);
  for (let since = performance.now(); performance.now() - since < settledMs;) {
    await pause(500);
    const now = await checkpoints(world, pid);
    if (shown(now) !== shown(owned)) since = performance.now();
    owned = now;
    if (performance.now() > deadline) throw new Error("the copies go on sharing");
  }
  return owned;
}

const stoppedOwner: Fault = {
  name: "the owner is stopped for 60 s, another takes over, the owner continues",
  run: (world) =>
    withCopy(world, async (copy) => {
      const owner = world.instance;
      const before = await settledOwner(world, owner.pid);
      world.journal.interruptions += 2;
      owner.kill("SIGSTOP");
      const stoppedAt = performance.now();
      let note: string;
      try {
        // The load goes on at the copy; what the stopped one was asked stays without an answer, and is asked again.
        world.instance = copy;
        let after = before;
        let firstMs = 0;
        await until(
          async () => {
            after = await checkpoints(world);
            if (before.some((was) => after.find(sameAs(was))?.epoch !== was.epoch))
              firstMs ||= performance.now() - stoppedAt;
            return before.every(
              (was) => (after.find(sameAs(was))?.epoch ?? Number.POSITIVE_INFINITY) > was.epoch,
            );
          },
          { timeoutMs: takeOverMs, what: "the copy owns every consumer" },
        ).catch((error: Error) => {
          const held = before.filter((was) => after.find(sameAs(was))?.epoch === was.epoch);
          throw new Error(`${error.message}: ${held.map(({ name }) => name).join()}`);
        });
        note = `taken over after ${(firstMs / 1000).toFixed(1)} to ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s`;
        await pause(stoppedMs - (performance.now() - stoppedAt));
        const taken = await checkpoints(world);
        owner.kill("SIGCONT");
        await pause(watchedMs);
        const now = await checkpoints(world);
        for (const stale of before) {
          const was = taken.find(sameAs(stale))!;
          const is = now.find(sameAs(stale))!;
          // Shards are shared again once the owner is back; what is whole stays where it is.
          if (!was.name.includes("/") && is.epoch !== was.epoch)
            throw new Error(`${was.name} changed hands when the owner continued`);
          if ((await commitsAs(world, is, stale.epoch)) === "moved")
            throw new Error(`${was.name} was moved under the stopped owner's epoch ${stale.epoch}`);
        }
        note += `; ${before.length} checkpoints refuse the stopped owner's epoch, which was fenced ${await fencedCount(owner)} times`;
      } finally {
        owner.kill("SIGCONT");
        world.instance = owner;
      }
      await until(async () => (await world.admin().get("/readyz")).status === 200, {
        timeoutMs: 20_000,
        what: "the continued owner stands by",
      });
      return note;
    }),
};

/** Owners that are not dead, and do not know that they are owners no more. */
export const ownerFaults: readonly Fault[] = [stoppedOwner];
