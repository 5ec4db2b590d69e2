import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { apiClient, until, type ApiAnswer } from "@heliograph/testkit";
import type { Fault } from "./faults.ts";
import { withOwnPostgres } from "./own-postgres.ts";
import type { World } from "./world.ts";

/** Between two looks at what is answered meanwhile. */
const lookMs = 500;
/** What was under way when the log went away has had its answer by then. */
const settledMs = 6_000;
/** From the log's first answer to the product's first 202. */
const recoveryMs = 15_000;
/** More resident memory after than before: the heap grows to its working size under load, which an outage must not add to. */
const growthMiB = 200;
/** An outage fails every request for the same reason; whoever says so each time fills the disk. */
const linesPerSecond = 30;

/** The server of the log, and what the product is told about it. */
type LogServer = {
  readonly env: Readonly<Record<string, string>>;
  /** Without it the read models are away too. */
  readonly everything: boolean;
  stop(): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
};

const withLogServer = (
  world: World,
  work: (log: LogServer) => Promise<string | void>,
): Promise<string | void> =>
  world.eventStore === undefined
    ? withOwnPostgres(world, ({ url, ...server }) =>
        work({ ...server, everything: true, env: { HELIOGRAPH_DATABASE_URL: url } }),
      )
    : work({
        env: {},
        everything: false,
        stop: world.eventStore.stop,
        kill: world.eventStore.stop,
        start: world.eventStore.start,
      });

/** In MiB, from Linux; 0 when the process is gone. */
const residentMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

/** Ids that no answer told before: what is accepted now, not what is repeated. */
export async function accepting(world: World, timeoutMs: number): Promise<void> {
  const idsOf = () => world.journal.sends.flatMap(({ answers }) => answers.map(({ id }) => id));
  const known = new Set(idsOf());
  await until(() => idsOf().some((id) => id !== undefined && !known.has(id)), {
    timeoutMs,
    what: "new sends are accepted",
  });
}

/** What is answered while the log is away: 503 that says so and when to come back, nothing else. */
function checkRefusal(what: string, { status, headers, text }: ApiAnswer): void {
  const retryAfter = headers.get("retry-after");
  const type = headers.get("content-type");
  if (
    status !== 503 ||
    !(Number(retryAfter) > 0) ||
    type !== "application/problem+json" ||
    !text.includes('"code":"log_unavailable"')
  )
    throw new Error(`${what} was answered ${status}, ${type}, Retry-After ${retryAfter}: ${text}`);
}

/** Asks for all kinds of things until the time is over. Gives how many refusals came, and the most memory that was seen. */
async function refusals(
  world: World,
  log: LogServer,
  ms: number,
): Promise<{ readonly refused: number; readonly mostMiB: number }> {
  const tenant = world.tenants.find(({ environment }) => environment === "sandbox")!;
  const client = apiClient(world.instance.baseUrl, tenant.key, { checked: false });
  const body = { channel: "whatsapp", to: "+15550000001", text: "Hello" };
  const deadline = performance.now() + ms;
  const [refused, mostMiB] = [{ count: 0 }, { value: 0 }];
  while (performance.now() < deadline) {
    const [keyed, free, health, ready, balance] = await Promise.all([
      client.post("/messages", body, { "idempotency-key": `away-${refused.count}` }),
      client.post("/messages", body),
      client.get("/healthz"),
      client.get("/readyz"),
      client.get("/balance"),
    ]);
    checkRefusal("POST /messages with a key", keyed!);
    checkRefusal("POST /messages without a key", free!);
    if (log.everything) {
      checkRefusal("GET /balance", balance!);
      if (ready!.status !== 503) throw new Error(`/readyz says ${ready!.status}`);
    }
    if (health!.status !== 200) throw new Error(`/healthz says ${health!.status}`);
    refused.count += 2;
    mostMiB.value = Math.max(mostMiB.value, residentMiB(world.instance.pid));
    await pause(lookMs);
  }
  return { refused: refused.count, mostMiB: mostMiB.value };
}

/** What the load was answered since the mark: an id that was not known before, or an error of another kind, is a violation. */
function checkLoad(world: World, mark: ReadonlyMap<object, number>): number {
  let refused = 0;
  for (const send of world.journal.sends) {
    const before = mark.get(send) ?? 0;
    const known = new Set(send.answers.slice(0, before).map(({ id }) => id));
    for (const { status, text, id } of send.answers.slice(before)) {
      if (status === 503 && text.includes('"code":"log_unavailable"')) refused++;
      else if (status >= 500 || (id !== undefined && !known.has(id)))
        throw new Error(`${send.ref} was answered ${status} without the log: ${text}`);
    }
  }
  return refused;
}
const markOf = (world: World): ReadonlyMap<object, number> =>
  new Map(world.journal.sends.map((send) => [send, send.answers.length]));

const seconds = (sinceMs: number): string =>
  `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
const linesOf = (world: World): number => world.instance.output().split("\n").length;

/** The log is killed and stays away; every answer says so, the process lives, and goes on as soon as it may. */
const outage = (name: string, ms: number, long: boolean): Fault => ({
  name: `the log is away for ${name}`,
  long,
  run: (world) =>
    withLogServer(world, async (log) => {
      if (log.everything) await world.start(log.env);
      const { pid } = world.instance;
      await accepting(world, 20_000);
      const [beforeMiB, linesBefore] = [residentMiB(pid), linesOf(world)];
      world.journal.interruptions++;
      await log.kill();
      await pause(settledMs);
      const mark = markOf(world);
      const { refused, mostMiB } = await refusals(world, log, ms - settledMs);
      const load = checkLoad(world, mark);
      const lines = (linesOf(world) - linesBefore) / (ms / 1000);
      await log.start();
      const startedAt = performance.now();
      await accepting(world, recoveryMs);
      const recovered = seconds(startedAt);
      await until(async () => (await world.admin().get("/readyz")).status === 200, {
        timeoutMs: recoveryMs,
        what: "it is ready again",
      });
      const ready = seconds(startedAt);
      const afterMiB = residentMiB(pid);
      if (Math.max(mostMiB, afterMiB) > beforeMiB + growthMiB)
        throw new Error(`memory grew from ${beforeMiB} over ${mostMiB} to ${afterMiB} MiB`);
      if (lines > linesPerSecond) throw new Error(`it printed ${lines} lines a second`);
      return (
        `${refused} + ${load} answers without the log, all 503 log_unavailable; accepting after ${recovered}, ready after ${ready}; ` +
        `process ${pid} throughout, ${beforeMiB.toFixed(0)} MiB before, ${mostMiB.toFixed(0)} at most, ${afterMiB.toFixed(0)} after; ${lines.toFixed(1)} lines a second`
      );
    }),
});

const bootAwayMs = 20_000;
/** Nothing answers at the product's port, or what answers says that it is not ready. */
async function isNotReady(world: World): Promise<boolean> {
  try {
    return (await fetch(`${world.instance.baseUrl}/readyz`)).status === 503;
  } catch {
    return true;
  }
}

/** In the middle of the start, at another place each time; a start takes one to three seconds. */
const bootPlacesMs = [300, 600, 900, 1_200, 1_500, 2_000];

const awayAtBoot: Fault = {
  name: "the log is away when the product starts, or goes away as it does",
  run: (world) =>
    withLogServer(world, async (log) => {
      const took: string[] = [];
      async function startWithout(
        away: () => Promise<void>,
        whileAway: () => Promise<void>,
      ): Promise<void> {
        world.journal.interruptions++;
        world.instance.kill("SIGKILL");
        await world.instance.exited;
        // It fails when the process ends: what waits for its log does not.
        const starting = world.start(log.env);
        starting.catch(() => undefined);
        await away();
        await whileAway();
        await log.start();
        const upAt = performance.now();
        await starting;
        await accepting(world, recoveryMs);
        took.push(seconds(upAt));
        if (performance.now() - upAt > recoveryMs)
          throw new Error(`it took ${took.at(-1)} to start once the log was there`);
      }
      await log.stop();
      await startWithout(
        () => pause(bootAwayMs),
        async () => {
          if (!(await isNotReady(world))) throw new Error("it is ready without its log");
        },
      );
      for (const placeMs of bootPlacesMs)
        await startWithout(
          () => pause(placeMs),
          async () => {
            await log.kill();
            await pause(1_000);
          },
        );
      return `accepting after the log's return: ${took.join(", ")}, each time in the process that began without it`;
    }),
};

const flaps = 10;
const flapping: Fault = {
  name: "the log goes away and comes back, ten times",
  run: (world, random) =>
    withLogServer(world, async (log) => {
      if (log.everything) await world.start(log.env);
      const { pid } = world.instance;
      for (let round = 0; round < flaps; round++) {
        world.journal.interruptions++;
        await (round % 2 === 0 ? log.kill() : log.stop());
        await pause(1_000 + random.below(4_000));
        await log.start();
        await pause(500 + random.below(2_500));
      }
      const startedAt = performance.now();
      await accepting(world, recoveryMs);
      const recovered = seconds(startedAt);
      residentMiB(pid);
      return `accepting ${recovered} after the last, process ${pid} throughout`;
    }),
};

/** The log's server away for as long as an operator needs, at the start, and again and again. */
export const outageFaults: readonly Fault[] = [
  outage("20 s", 20_000, false),
  outage("five minutes", 300_000, true),
  awayAtBoot,
  flapping,
];
