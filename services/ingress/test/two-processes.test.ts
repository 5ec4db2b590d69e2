import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { service as control } from "@heliograph/control";
import { freePort, spawnService, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { sms } from "./sending.ts";

const entry = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const limit = { requests: 10, window_seconds: 1, burst: 5 };

/** A call as its caller saw it; no status where nobody answered. Times are of `performance.now()`. */
type Seen = { readonly began: number; readonly ended: number; readonly status: number | undefined };

let world: World;
let ports: readonly number[];
const processes: ReturnType<typeof spawnService>[] = [];

const ask = async (port: number, key: string): Promise<Seen> => {
  const began = performance.now();
  const status = await fetch(`http://127.0.0.1:${port}/api/v1/balance`, {
    headers: { authorization: `Bearer ${key}` },
  }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    },
    () => undefined,
  );
  return { began, ended: performance.now(), status };
};
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Asks on and on, in turn with nobody, until told to end. */
async function asking(port: number, key: string, everyMs: number, end: AbortSignal) {
  const seen: Seen[] = [];
  while (!end.aborted) {
    const call = await ask(port, key);
    seen.push(call);
    await pause(call.status === undefined ? 20 : everyMs);
  }
  return seen;
}

let turn = 0;
/** What a load balancer does that does not ask who is there: each call goes to the next process. */
async function sendBalanced(key: string, idempotencyKey: string) {
  const port = ports[turn++ % ports.length]!;
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/messages`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "idempotency-key": idempotencyKey,
    },
    body: JSON.stringify(sms),
  });
  const body = (await answer.json()) as { readonly id: string };
  // 409: the other call with the key is under way.
  expect([202, 409]).toContain(answer.status);
  return answer.status === 202 ? body.id : undefined;
}

/** Sends one message after the other, each twice at once, and each call again until it is answered with 202; notes the ids that were answered. */
async function sending(key: string, answered: (readonly string[])[], end: AbortSignal) {
  const insisting = async (idempotencyKey: string): Promise<string> => {
    for (;;) {
      const id = await sendBalanced(key, idempotencyKey).catch((error: Error) => {
        // Nobody answered; whatever else is wrong ends the test.
        if (error.name !== "TypeError") throw error;
      });
      if (id !== undefined) return id;
      await pause(20);
    }
  };
  while (!end.aborted) {
    const idempotencyKey = randomUUID();
    answered.push(await Promise.all([insisting(idempotencyKey), insisting(idempotencyKey)]));
  }
}

/** Every message that a partner's requests made, as the log has it. */
async function requestedBy(partner: string): Promise<readonly string[]> {
  const ids: string[] = [];
  const { log } = world.platform.contexts.sandbox;
  for (let after = 0n; ;) {
    const page = await log.readAll({ after, limit: 5_000, types: ["MessageRequested"] });
    for (const { metadata, data } of page.events)
      if (metadata.partner === partner) ids.push(data.message_id);
    if (page.position === after || page.position >= page.head) return ids;
    after = page.position;
  }
}

const start = (port: number, workers = 1): ReturnType<typeof spawnService> => {
  const child = spawnService(entry, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_PORT: String(port),
    HELIOGRAPH_WORKERS: String(workers),
  });
  processes.push(child);
  return child;
};

beforeAll(async () => {
  world = await openWorld({ services: [service, control, wallet] });
  ports = [await freePort(), await freePort()];
}, 60_000);
afterAll(async () => {
  for (const child of processes) child.kill("SIGKILL");
  await Promise.all(processes.map(({ exited }) => exited));
  await world.close();
});

test("two processes of the API, of which one has two workers and is killed and started again, keep one limit between them, and a rotated key to its deadline", async () => {
  const flooding = await world.addPartner({ rateLimit: limit });
  const { key } = await world.addPartner();
  start(ports[0]!);
  const second = start(ports[1]!, 2);
  const serves = (port: number) =>
    until(async () => (await ask(port, key)).status === 200, { timeoutMs: 60_000 });
  await Promise.all(ports.map(serves));

  const ended = new AbortController();
  const everywhere = (of: string, everyMs: number, times: number) =>
    Promise.all(
      ports.flatMap((port) =>
        Array.from({ length: times }, () => asking(port, of, everyMs, ended.signal)),
      ),
    ).then((all) => all.flat());
  const { body: old } = await world.call("POST", "/api/v1/keys", { key, body: { name: "old" } });
  const { body: next } = await world.call("POST", `/api/v1/keys/${old.id}/rotate`, {
    key,
    body: { overlap_seconds: 3 },
  });
  const deadline = performance.now() + Date.parse(next.previous_key_expires_at) - Date.now();
  const began = performance.now();
  const flood = everywhere(flooding.key, 10, 2);
  const rotated = everywhere(old.key, 100, 1);
  const successor = everywhere(next.key, 100, 1);
  await pause(1_000);
  second.kill("SIGKILL");
  expect((await second.exited).signal).toBe("SIGKILL");
  start(ports[1]!);
  await serves(ports[1]!);
  await pause(Math.max(1_000, deadline + 500 - performance.now()));
  ended.abort();

  const calls = await flood;
  const seconds = (Math.max(...calls.map(({ began: at }) => at)) - began) / 1_000;
  const passed = calls.filter(({ status }) => status === 200);
  const allowed = limit.burst + limit.requests * seconds;
  expect(passed.length).toBeLessThanOrEqual(Math.ceil(allowed * 1.05));
  expect(passed.length).toBeGreaterThanOrEqual(Math.floor((allowed - limit.burst) * 0.95));
  expect(new Set(calls.map(({ status }) => status))).toEqual(new Set([200, 429, undefined]));
  // In no second of it, the one of the kill and those of the start either, was there anything like no limit.
  for (const { ended: from } of passed)
    expect(passed.filter(({ ended: at }) => at >= from && at < from + 1_000).length).toBeLessThan(
      2 * (limit.requests + limit.burst),
    );

  const settled = began + 1_000;
  const answered = (seen: readonly Seen[]) => seen.filter(({ status }) => status !== undefined);
  const before = answered(await rotated).filter(
    (call) => call.began > settled && call.ended < deadline,
  );
  const after = answered(await rotated).filter((call) => call.began >= deadline);
  expect(new Set(before.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(after.map(({ status }) => status))).toEqual(new Set([401]));
  const own = answered(await successor).filter((call) => call.began > settled);
  expect(new Set(own.map(({ status }) => status))).toEqual(new Set([200]));
}, 120_000);

test("what an operator changes is in force in every process within a second", async () => {
  const partner = await world.addPartner({ rateLimit: { requests: 900, window_seconds: 1 } });
  const admin = await world.addKey(partner.id, { environment: "live", scopes: ["admin"] });
  const policies = () =>
    Promise.all(
      ports.map(async (port) => {
        const answer = await fetch(`http://127.0.0.1:${port}/api/v1/balance`, {
          headers: { authorization: `Bearer ${partner.key}` },
        });
        await answer.arrayBuffer();
        return /"requests";q=(\d+)/.exec(answer.headers.get("ratelimit-policy") ?? "")?.[1];
      }),
    );
  await until(async () => (await policies()).every((most) => most === "900"));
  for (const requests of [700, 20]) {
    const path = `/api/v1/admin/partners/${partner.id}`;
    const body = { rate_limit: { requests, window_seconds: 1 } };
    expect((await world.call("PATCH", path, { key: admin, body })).status).toBe(200);
    // What is asked a second later is asked under the new limit.
    await pause(1_000);
    expect(await policies()).toEqual([String(requests), String(requests)]);
  }
});

// The last one: the process that it kills stays away.
test("of messages sent to two processes in turn, of which one is killed, each is accepted once, and under one id", async () => {
  const sender = await world.addPartner();
  const knows = (port: number) => until(async () => (await ask(port, sender.key)).status === 200);
  await Promise.all(ports.map(knows));
  const ended = new AbortController();
  const answered: (readonly string[])[] = [];
  const sent = Promise.all(
    Array.from({ length: 4 }, () => sending(sender.key, answered, ended.signal)),
  );
  const more = (count: number) => {
    const enough = answered.length + count;
    return until(() => answered.length >= enough, { timeoutMs: 30_000 });
  };
  await more(20);
  const killed = processes.at(-1)!;
  killed.kill("SIGKILL");
  await killed.exited;
  await more(20);
  ended.abort();
  await sent;
  expect(answered.filter(([one, other]) => one !== other)).toEqual([]);
  // Whoever was asked and killed: nothing is in the log that nobody was answered for.
  const ids = answered.map(([id]) => id!);
  expect((await requestedBy(sender.id)).toSorted()).toEqual(ids.toSorted());
}, 90_000);
