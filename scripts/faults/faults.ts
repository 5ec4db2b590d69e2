import { join } from "node:path";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import {
  newDataDir,
  postgresProcesses,
  removeDataDir,
  startInstance,
  until,
} from "@heliograph/testkit";
import { projections, rebuild } from "./check-projections.ts";
import { query, readLog } from "./log.ts";
import { consumingServices } from "./services.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** Something bad that happens under load; when `run` resolves the product is up again, and may tell what was measured. Throws when it does not do what it must meanwhile. */
export type Fault = {
  readonly name: string;
  readonly run: (world: World, random: Random) => Promise<string | void>;
  /** Takes minutes: left to runs that name it, and to those of an hour and more. */
  readonly long?: boolean;
  /** A world of its own, for what does not start in the usual one. */
  readonly open?: (random: Random) => Promise<World>;
};

/** Every place in the code where a crash leaves something half done. */
const killPoints = [
  "ingress.before_append",
  "ingress.after_append",
  "ingress.before_answer",
  "log.before_append",
  "log.after_append",
  "wallet.before_append",
  "wallet.after_append",
  "dispatch.before_intent",
  "dispatch.after_intent",
  "dispatch.before_provider",
  "dispatch.after_provider",
  "dispatch.before_append",
  "dispatch.after_append",
  "receipts.before_append",
  "receipts.after_append",
  "delivery.before_append",
  "delivery.after_append",
  "webhooks.before_attempt",
  "webhooks.after_attempt",
  "webhooks.before_record",
  "webhooks.after_record",
];
/** The load must reach an armed point within this time. */
const armedMs = 10_000;

const killAll: Fault = {
  name: "kill -9 of everything, PostgreSQL too",
  async run(world) {
    world.journal.interruptions++;
    await world.instance.killAll();
    await world.start();
  },
};

export const killNode: Fault = {
  name: "kill -9 of the process, PostgreSQL goes on",
  async run(world) {
    world.journal.interruptions++;
    world.instance.kill("SIGKILL");
    await world.instance.exited;
    await world.start();
  },
};

/** How many calls to providers a crash has left uncertain. */
export const crashed = async (world: World): Promise<number> =>
  (await readLog(world, "sandbox")).filter(
    ({ type, data }) => type === "DispatchUncertain" && data.cause === "crash",
  ).length;

/** Dispatch, or a shard of it. */
export type DispatchUnit = {
  readonly name: string;
  readonly epoch: number;
  readonly position: string;
  /** What those before this owner announced and nobody has settled yet. */
  readonly left: number;
};

/** Told again and again how all units are, says whether each of them has had one owner who has committed since and has settled what those before it left. */
export function watchOwners(): (units: readonly DispatchUnit[]) => boolean {
  const firsts = new Map<string, DispatchUnit>();
  return (units) => {
    let owned = units.length > 0;
    for (const unit of units) {
      const first = firsts.get(unit.name);
      const isNew = first?.epoch !== unit.epoch;
      if (isNew) firsts.set(unit.name, unit);
      if (isNew || unit.position === first.position || unit.left > 0) owned = false;
    }
    return owned;
  };
}

/** Waits until dispatch is owned, whole or in shards: what an earlier fault broke off is not the next one's. */
export async function dispatchOwned(world: World): Promise<void> {
  const areOwned = watchOwners();
  await until(
    async () => {
      // Epochs are compared within a shard; an announcement of the undivided time is every shard's.
      const units = await query(
        world.instance.databaseUrl,
        "sandbox",
        `select name, epoch, position::text, (
           select count(*)::int from dispatch.intents intent
           where intent.epoch < unit.epoch and (shard is null or shard::text = split_part(unit.name, '/', 2))) as left
         from dispatch.checkpoint unit`,
      );
      return areOwned(units as DispatchUnit[]);
    },
    { timeoutMs: 30_000, what: "dispatch is owned, and nothing of its last owner is left" },
  );
}

const terminate: Fault = {
  name: "SIGTERM",
  async run(world) {
    await dispatchOwned(world);
    const before = await crashed(world);
    const { code, signal } = await world.instance.stop();
    if (code !== 0)
      throw new Error(
        `SIGTERM ended with ${code ?? signal}:\n${world.instance.output().slice(-2_000)}`,
      );
    await world.start();
    const after = await crashed(world);
    if (after > before)
      throw new Error(`${after - before} calls were left uncertain by an orderly stop`);
  },
};

const crashDatabase: Fault = {
  name: "a PostgreSQL backend is killed: the server restarts at once",
  async run(world) {
    world.journal.interruptions++;
    const [row] = await query(
      world.instance.databaseUrl,
      "sandbox",
      "select pid from pg_stat_activity where application_name like 'heliograph%' and pid <> pg_backend_pid() order by random() limit 1",
    );
    process.kill(row.pid as number, "SIGKILL");
    await pause(2_000);
  },
};

const killDatabase: Fault = {
  name: "kill -9 of PostgreSQL, the process goes on",
  async run(world) {
    world.journal.interruptions++;
    const killed = postgresProcesses(world.dataDir);
    for (const pid of killed) process.kill(pid, "SIGKILL");
    // Until the kill is noticed the product is as ready as before.
    const anew = (): boolean => {
      const [postmaster] = postgresProcesses(world.dataDir);
      return postmaster !== undefined && postmaster !== killed[0];
    };
    await until(async () => anew() && (await world.admin().get("/readyz")).status === 200, {
      timeoutMs: 30_000,
      what: "it is ready again",
    });
  },
};

const cutSessions: Fault = {
  name: "every database session is ended, five times",
  async run(world) {
    for (let round = 0; round < 5; round++) {
      world.journal.interruptions++;
      await query(
        world.instance.databaseUrl,
        "sandbox",
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'",
      ).catch(() => undefined);
      await pause(400);
    }
  },
};

const stallDatabase: Fault = {
  name: "PostgreSQL stands still for 4 s",
  async run(world) {
    const pids = postgresProcesses(world.dataDir);
    const signal = (name: NodeJS.Signals): void => {
      for (const pid of pids) {
        try {
          process.kill(pid, name);
        } catch {
          // A backend that ended meanwhile.
        }
      }
    };
    signal("SIGSTOP");
    await pause(4_000);
    signal("SIGCONT");
  },
};

/** Restarts armed, waits until the point is passed for the nth time, and starts again without. */
export const killAt = (point: string): Fault => ({
  name: `kill -9 at ${point}`,
  async run(world, random) {
    world.journal.interruptions += 2;
    world.instance.kill("SIGKILL");
    await world.instance.exited;
    const armed = await world
      .start({ HELIOGRAPH_FAILPOINT: `${point}:kill@${1 + random.below(8)}` })
      .catch(() => undefined);
    let reached = true;
    if (armed !== undefined) {
      const ended = await Promise.race([armed.exited, pause(armedMs)]);
      reached = ended !== undefined;
      armed.kill("SIGKILL");
      await armed.exited;
    }
    await world.start();
    if (!reached) throw new Error(`the load did not pass ${point} within ${armedMs / 1000} s`);
  },
});

const lostAnswers: Fault = {
  name: "the answers of appends are lost",
  async run(world, random) {
    world.journal.interruptions += 2;
    world.instance.kill("SIGKILL");
    await world.instance.exited;
    // Every pass of one action per point: the nth append of the process is stored, and its answer does not arrive.
    await world.start({ HELIOGRAPH_FAILPOINT: `log.after_append:throw@${10 + random.below(40)}` });
    await pause(2_000);
  },
};

const rebuildAll: Fault = {
  name: "every read model is rebuilt",
  async run(world) {
    for (const projection of await projections(world)) {
      if (projection.kind !== "projector") continue;
      const { status, error } = await rebuild(world, projection, false);
      if (status !== "done")
        throw new Error(
          `the rebuild of ${projection.name} in ${projection.environment} failed: ${error}`,
        );
    }
  },
};

const foulWeather: Fault = {
  name: "receivers refuse, reset and hang up; the mail server loses answers and is busy",
  async run(world) {
    world.weather("foul");
    world.smtp.behave({ type: "close-before-reply" });
    await pause(700);
    world.smtp.behave({ type: "busy" });
    await pause(700);
    world.smtp.behave({ type: "reject-recipient", code: 451 });
    await pause(700);
    world.weather("fair");
  },
};

/** Starts the consumers a second time on the same database, as a standby. */
export async function withStandby(world: World, work: () => Promise<void>): Promise<void> {
  const dataDir = newDataDir();
  const masterKey = readFileSync(join(world.dataDir, "master.key"), "utf8").trim();
  const standby = await startInstance({
    dataDir,
    env: {
      ...world.env,
      HELIOGRAPH_DATABASE_URL: world.instance.databaseUrl,
      HELIOGRAPH_MASTER_KEY: masterKey,
      HELIOGRAPH_SERVICES: consumingServices.join(),
    },
  });
  let code: number | null;
  try {
    await work();
  } finally {
    ({ code } = await standby.stop());
    await removeDataDir(dataDir);
  }
  if (code !== 0)
    throw new Error(`the standby ended with ${code}:\n${standby.output().slice(-2_000)}`);
}

const takeOver: Fault = {
  name: "a standby takes over from a killed copy, and hands back",
  run: (world) =>
    withStandby(world, async () => {
      await pause(1_000);
      await killNode.run(world, undefined as never);
      await pause(1_000);
    }),
};

/**
 * What the short run of `npm test` does, in this order, before a kill and an orderly stop behind a load balancer. SIGTERM of a copy that is alone is for the long
 * run: under load `services/dispatch/test/crash.test.ts` stops dispatch so, alone, and its successor finds nothing uncertain.
 */
export const shortFaults: readonly Fault[] = [foulWeather, killAll, cutSessions];

/** What ends processes and sessions, and nothing more. */
export const killFaults: readonly Fault[] = [
  killAll,
  killNode,
  killDatabase,
  crashDatabase,
  cutSessions,
  terminate,
];

/** Everything; the long run takes them in the order that the seed gives. */
export const allFaults: readonly Fault[] = [
  foulWeather,
  killAll,
  killNode,
  terminate,
  crashDatabase,
  killDatabase,
  cutSessions,
  stallDatabase,
  lostAnswers,
  rebuildAll,
  takeOver,
  ...killPoints.map(killAt),
];
