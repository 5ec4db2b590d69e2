import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  apiClient,
  networkLink,
  newDataDir,
  removeDataDir,
  startInstance,
  until,
  type Instance,
  type NetworkLink,
  type NetworkWeather,
} from "@heliograph/testkit";
import type { Fault } from "./faults.ts";
import { withOwnPostgres } from "./own-postgres.ts";
import type { Random } from "./random.ts";
import { consumingServices } from "./services.ts";
import type { Tenant, World } from "./world.ts";

/** 500 ms each way, one piece in twenty lost; one in 500 ends its connection, half of them without a word. */
const storm: NetworkWeather = { delayMs: 500, loss: 0.05, resets: 0.001, silences: 0.001 };
const stormMs = 60_000;
/** A statement on a connection that went silent is given up after 65 s; what waits behind it comes then. */
const recoveryMs = 120_000;
const together = ["wallet", "dispatch"];
const services = [
  "ingress",
  together.join(),
  consumingServices.filter((name) => !together.includes(name)).join(),
];

/** Every way between the processes, each through weather of its own. */
type Ways = {
  readonly links: readonly NetworkLink[];
  readonly env: Readonly<Record<string, string>>;
  readonly sink: NetworkLink;
  close(): Promise<void>;
};

async function openWays(world: World, postgres: URL, random: Random): Promise<Ways> {
  const open = (name: string, target: number): Promise<NetworkLink> =>
    networkLink({ target, random: random.fork(`link ${name}`).next });
  const database = await open("database", Number(postgres.port));
  const sink = await open("sink", world.sink.port);
  const smtp = await open("smtp", world.smtp.port);
  const store = world.eventStore && (await open("store", world.eventStore.port));
  const own = [database, sink, smtp, ...(store ? [store] : [])];
  const url = new URL(postgres);
  url.port = String(database.port);
  return {
    sink,
    links: [...own, ...(world.kafkaLink ? [world.kafkaLink] : [])],
    env: {
      HELIOGRAPH_DATABASE_URL: url.toString(),
      HELIOGRAPH_SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
      ...(store && { HELIOGRAPH_EVENTSTORE_URL: `esdb://127.0.0.1:${store.port}?tls=false` }),
      ...(world.kafkaLink && {
        HELIOGRAPH_KAFKA_BROKERS: `127.0.0.1:${world.kafkaLink.port}`,
      }),
    },
    async close() {
      for (const link of own) await link.close();
    },
  };
}

/** Sends every endpoint's webhooks to that port of this machine. */
async function pointEndpoints(world: World, port: number): Promise<void> {
  for (const tenant of world.tenants)
    for (const { id, name } of tenant.endpoints) {
      const answer = await fetch(`${world.instance.baseUrl}/api/v1/webhook-endpoints/${id}`, {
        method: "PATCH",
        headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
        body: JSON.stringify({ url: `http://127.0.0.1:${port}/${name}` }),
      });
      if (answer.status !== 200)
        throw new Error(`the endpoint's address: ${answer.status} ${await answer.text()}`);
    }
}

/** Ingress and workers as processes of their own, each of which knows the others by the ways alone. */
async function startSplit(
  world: World,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly workers: readonly Instance[]; stop(): Promise<void> }> {
  const [ingress, ...rest] = services;
  await world.start({ ...env, HELIOGRAPH_SERVICES: ingress! });
  const dataDirs: string[] = [];
  const workers: Instance[] = [];
  const stop = async (): Promise<void> => {
    const ends = await Promise.all(workers.map((worker) => worker.stop()));
    for (const dataDir of dataDirs) await removeDataDir(dataDir);
    for (const [index, { code }] of ends.entries())
      if (code !== 0)
        throw new Error(`${rest[index]} ended with ${code}: ${workers[index]!.output()}`);
  };
  try {
    for (const names of rest) {
      const dataDir = newDataDir();
      dataDirs.push(dataDir);
      workers.push(
        await startInstance({
          dataDir,
          env: {
            ...world.env,
            ...env,
            HELIOGRAPH_MASTER_KEY: readFileSync(join(world.dataDir, "master.key"), "utf8").trim(),
            HELIOGRAPH_SERVICES: names,
          },
        }),
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { workers, stop };
}

/** The first message accepted after this moment that nothing but the product can keep from being delivered. */
async function deliveredAnew(world: World, timeoutMs: number): Promise<void> {
  const first = world.journal.sends.length;
  const fresh = (): readonly [Tenant, string] | undefined => {
    for (const send of world.journal.sends.slice(first)) {
      const id = send.answers.find(({ id: given }) => given !== undefined)?.id;
      const tenant = world.tenants.find(
        ({ partner, environment }) => partner === send.partner && environment === send.environment,
      );
      if (id !== undefined && tenant !== undefined && send.expected === "delivered")
        return [tenant, id];
    }
    return undefined;
  };
  const startedAt = performance.now();
  const [tenant, id] = await until(fresh, { timeoutMs, what: "a message is accepted" });
  await until(
    async () =>
      (
        await apiClient(world.instance.baseUrl, tenant.key, { checked: false }).get(
          `/messages/${id}`,
        )
      ).body.status === "delivered",
    { timeoutMs: timeoutMs - (performance.now() - startedAt), what: `${id} is delivered` },
  );
}

const slowAndLossy: Fault = {
  name: "500 ms and 5 % loss between the processes for 60 s",
  run: (world, random) =>
    withOwnPostgres(world, async ({ url }) => {
      const ways = await openWays(world, new URL(url), random);
      const split = await startSplit(world, ways.env).catch(async (error: Error) => {
        await ways.close();
        throw error;
      });
      try {
        await pointEndpoints(world, ways.sink.port);
        world.journal.interruptions++;
        const known = new Set(world.journal.sends.flatMap(({ answers }) => answers));
        const during = () =>
          world.journal.sends.flatMap(({ answers }) => answers.filter((each) => !known.has(each)));
        for (const link of ways.links) link.weather(storm);
        const endsAt = performance.now() + stormMs;
        // A connection that ended may have carried what is then sent once more.
        while (performance.now() < endsAt) {
          world.journal.interruptions++;
          await pause(1_000);
        }
        const answers = during();
        const wrong = answers.find(({ status }) => status >= 500 && status !== 503);
        if (wrong !== undefined) throw new Error(`answered ${wrong.status}: ${wrong.text}`);
        for (const link of ways.links) link.weather({});
        const fairAt = performance.now();
        await deliveredAnew(world, recoveryMs);
        const delivered = performance.now() - fairAt;
        await until(
          async () => {
            for (const { baseUrl } of [world.instance, ...split.workers])
              if ((await fetch(`${baseUrl}/readyz`)).status !== 200) return false;
            return true;
          },
          { timeoutMs: recoveryMs - delivered, what: "every process is ready" },
        );
        const ready = performance.now() - fairAt;
        await pointEndpoints(world, world.sink.port);
        const sum = (of: "pieces" | "lost" | "resets" | "silences"): number =>
          ways.links.reduce((total, { seen }) => total + seen[of], 0);
        const count = (status: number): number =>
          answers.filter((answer) => answer.status === status).length;
        return (
          `meanwhile ${count(202)} answers 202 and ${count(503)} 503; of ${sum("pieces")} pieces ${sum("lost")} were late, ${sum("resets")} connections reset and ${sum("silences")} silent; ` +
          `delivering ${(delivered / 1000).toFixed(1)} s after the storm, everything ready after ${(ready / 1000).toFixed(1)} s`
        );
      } finally {
        for (const link of ways.links) link.weather({});
        await split.stop();
        await ways.close();
      }
    }),
};

/** What the ways between processes do that the processes themselves do not. */
export const networkFaults: readonly Fault[] = [slowAndLossy];
