import { connect } from "node:net";
import { newId } from "@heliograph/contracts";
import { LogUnavailable } from "@heliograph/log";
import { freePort, loosely, spawnService, until } from "@heliograph/testkit";
import { pino } from "pino";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { services } from "../src/index.ts";
import { ingressOn, sms } from "./sending.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services });
});
afterAll(() => world.close());

const path = "/api/v1/messages/batch";
const many = (count: number, text = "Hello") =>
  Array.from({ length: count }, (_, index) => ({ ...sms, text, client_ref: `r${index}` }));

test("an item that the log does not take fails alone, and its funds are given back", async () => {
  const { key } = await world.addPartner({ funds: "0.024" });
  const ingress = await ingressOn(world, (log) => async (appends) => {
    const bad = appends.findIndex(
      ({ events }) => (events[0]!.data as { client_ref?: string }).client_ref === "r1",
    );
    const outcomes = [...(await log.append(appends.filter((_, index) => index !== bad)))];
    if (bad !== -1) outcomes.splice(bad, 0, { kind: "invalid", message: "too large" });
    return outcomes;
  });
  try {
    const answer = await ingress.post(key, path, { messages: many(3) });
    expect(answer.status).toBe(207);
    expect(answer.body).toMatchObject({ accepted: 2, refused: 1 });
    expect(answer.body.data[1]).toMatchObject({ status_code: 500, error: { code: "internal" } });
    // What the failed one had set aside is there for another.
    expect((await ingress.post(key, "/api/v1/messages", sms)).status).toBe(202);
  } finally {
    await ingress.stop();
  }
});

test("when a part of a batch fails after others are stored, the answer says which", async () => {
  const { key } = await world.addPartner();
  const port = await freePort();
  const service = spawnService(new URL("../src/main.ts", import.meta.url).pathname, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_PORT: String(port),
    HELIOGRAPH_FAILPOINT: "ingress.before_append:throw@2",
  });
  await service.outputMatching(/"msg":"listening"/);
  const headers = { "idempotency-key": newId("req") };
  const sent = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      ...headers,
    },
    body: JSON.stringify({ messages: many(450) }),
  });
  const first = (await sent.json()) as {
    accepted: number;
    data: { status_code: number; message?: { id: string } }[];
  };
  expect([sent.status, first.accepted]).toEqual([207, 200]);
  expect(new Set(first.data.slice(200).map((item) => item.status_code))).toEqual(new Set([500]));
  // The same request again completes it, and repeats what was accepted.
  const again = await world.call("POST", path, { key, headers, body: { messages: many(450) } });
  expect(again.body.accepted).toBe(450);
  expect(again.body.data.slice(0, 200)).toEqual(first.data.slice(0, 200));
  await service.stop();
}, 60_000);

test("when the log goes away behind the append, what was accepted is answered so, and a twin that cannot be looked at is to come again", async () => {
  const { key } = await world.addPartner();
  const { log } = world.platform.contexts.sandbox;
  const away = () => Promise.reject(new LogUnavailable("away"));
  const ingress = await ingressOn(world, () => async (appends) => {
    const outcomes = await log.append(appends);
    vi.spyOn(log, "forPartner").mockReturnValue({ ...log, readStreams: away });
    return outcomes;
  });
  const twin = { ...sms, idempotency_key: newId("req") };
  try {
    const answer = await ingress.post(key, path, { messages: [sms, twin, twin] });
    vi.restoreAllMocks();
    expect(answer.status).toBe(207);
    expect(answer.body).toMatchObject({
      accepted: 2,
      data: [
        { status_code: 202 },
        { status_code: 202 },
        { status_code: 503, error: { code: "log_unavailable" } },
      ],
    });
  } finally {
    vi.restoreAllMocks();
    await ingress.stop();
  }
});

test("what was accepted before is read together, however many items name it", async () => {
  const { key } = await world.addPartner();
  const ingress = await ingressOn(world, (log) => log.append);
  const headers = { "idempotency-key": newId("req") };
  const twins = Array.from({ length: 60 }, (_, at) => ({
    ...sms,
    idempotency_key: `twin-${at % 20}`,
  }));
  const wrong = { ...sms, text: "", idempotency_key: "twin-1" };
  const { log } = world.platform.contexts.sandbox;
  const forPartner = log.forPartner.bind(log);
  const reads: number[] = [];
  const post = async (messages: object[], more?: object) => {
    reads.splice(0);
    const { body } = await ingress.post(key, path, { messages }, more);
    return [body.accepted, body.refused, reads.filter((streams) => streams > 0)];
  };
  vi.spyOn(log, "forPartner").mockImplementation((partner) => {
    const own = forPartner(partner);
    return {
      ...own,
      readStream: (stream, options) => {
        if (stream.startsWith("message-")) reads.push(1);
        return own.readStream(stream, options);
      },
      readStreams: (streams, options) => {
        reads.push(streams.length);
        return own.readStreams(streams, options);
      },
    };
  });
  try {
    // Whether a message has the key of the batch.
    expect(await post(many(150), headers)).toEqual([150, 0, [1]]);
    expect(await post(many(150), headers)).toEqual([150, 0, [150]]);
    expect(await post(twins)).toEqual([60, 0, [20]]);
    expect(await post([...twins, wrong])).toEqual([60, 1, [20, 20]]);
  } finally {
    vi.restoreAllMocks();
    await ingress.stop();
  }
});

test("what is put off with 503 is not charged, and a batch pays for what was let in", async () => {
  const { key } = await world.addPartner({ rateLimit: { requests: 10, window_seconds: 1_000 } });
  let away = true;
  const ingress = await ingressOn(world, (log) => (appends) => {
    if (away) return Promise.reject(Object.assign(new Error("away"), { code: "57P01" }));
    return log.append(appends);
  });
  try {
    const failed = await ingress.post(key, path, { messages: many(500) });
    expect([failed.status, failed.body.code]).toEqual([503, "log_unavailable"]);
    away = false;
    const answer = await ingress.post(key, path, { messages: many(9) });
    expect(answer.headers.get("ratelimit")).toMatch(/r=1;/);
    expect((await ingress.post(key, "/api/v1/messages", sms)).status).toBe(202);
    expect((await ingress.post(key, "/api/v1/messages", sms)).status).toBe(429);
  } finally {
    await ingress.stop();
  }
});

test("the repetition of a batch that still runs is to come later as a whole, and of two items with one key the second is the first", async () => {
  // Of the four batches of three messages the one that is put off costs nothing.
  const { key } = await world.addPartner({ rateLimit: { requests: 9, window_seconds: 1_000 } });
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const ingress = await ingressOn(world, (log) => async (appends) => {
    begun.resolve();
    await opened;
    return log.append(appends);
  });
  const headers = { "idempotency-key": "one-batch" };
  const post = (messages: object[], more?: object) => ingress.post(key, path, { messages }, more);
  try {
    const first = post(many(3), headers);
    await begun.promise;
    const early = await post(many(3), headers);
    expect([early.status, early.body.code]).toEqual([409, "idempotency_in_progress"]);
    expect(early.headers.get("retry-after")).toBe("1");
    open();
    expect((await first).body).toMatchObject({ accepted: 3, refused: 0 });
    const later = await post(many(3), headers);
    expect([later.body, later.headers.get("idempotent-replayed")]).toEqual([
      (await first).body,
      "true",
    ]);
    const twin = { ...sms, idempotency_key: "twins" };
    const { body } = await post([twin, twin, { ...twin, text: "Other" }]);
    expect(body.data.map(({ status_code }: { status_code: number }) => status_code)).toEqual([
      202, 202, 422,
    ]);
    expect(body.data[1].message.id).toBe(body.data[0].message.id);
  } finally {
    open();
    await ingress.stop();
  }
});

test("the batches of one partner do not hold up the sends of another", async () => {
  const [busy, calm] = await Promise.all([
    world.addPartner({ funds: "100000" }),
    world.addPartner(),
  ]);
  const stored = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  // Nothing of the busy one is stored before the calm one has its answer.
  const ingress = await ingressOn(world, (log) => async (appends) => {
    if (appends[0]!.events[0]!.metadata.partner === busy.id) {
      begun.resolve();
      await stored.promise;
    }
    return log.append(appends);
  });
  try {
    const batches = Array.from({ length: 20 }, () =>
      ingress.post(busy.key, path, { messages: many(500) }),
    );
    await begun.promise;
    expect((await ingress.post(calm.key, "/api/v1/messages", sms)).status).toBe(202);
    stored.resolve();
    const answers = await Promise.all(batches);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([207]));
  } finally {
    stored.resolve();
    await ingress.stop();
  }
}, 60_000);

test("bodies in flight are bounded for a partner, before they are read", async () => {
  const { key } = await world.addPartner();
  const other = await world.addPartner();
  const begin = () =>
    new Promise<{ answer: Promise<string>; end(): void }>((resolve) => {
      const socket = connect(world.port, "127.0.0.1", () => {
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n{`,
        );
        const answer = new Promise<string>((told) =>
          socket.setEncoding("utf8").once("data", (chunk: string) => told(chunk)),
        );
        resolve({ answer, end: () => socket.destroy() });
      });
    });
  const begun = await Promise.all(Array.from({ length: 12 }, begin));
  // Five of them fit into 24 MiB; each further one is told at once, with nothing of its body read.
  const told: string[] = [];
  for (const { answer } of begun) void answer.then((text) => told.push(text));
  await until(() => told.length >= 7);
  expect(told).toHaveLength(7);
  for (const text of told) expect(text).toMatch(/^HTTP\/1\.1 429 [\s\S]*Retry-After: 1/);
  const sent = await world.call("POST", "/api/v1/messages", { key: other.key, body: sms });
  expect(sent.status).toBe(202);
  for (const { end } of begun) end();
  await until(
    async () =>
      (await world.call("POST", path, { key, body: { messages: many(1) } })).status === 207,
  );
});

test("a send waits while the consumers are too far behind, and is appended when they have caught up", async () => {
  const { key } = await world.addPartner();
  const { promise: caughtUp, resolve: catchUp } = Promise.withResolvers<void>();
  const appended: unknown[] = [];
  const asked: (Promise<void> | undefined)[] = [];
  const ingress = await ingressOn(
    world,
    (log) => (appends) => {
      for (const { events } of appends) appended.push(loosely(events[0]!.data).client_ref);
      return log.append(appends);
    },
    undefined,
    () => asked[asked.push(asked.length === 0 ? caughtUp : undefined) - 1],
  );
  const send = async (name: string) =>
    (await ingress.post(key, "/api/v1/messages", { ...sms, client_ref: name })).status;
  try {
    const held = send("held");
    await until(() => asked.length === 1);
    // One that came later and is not held up goes all the way meanwhile.
    expect(await send("later")).toBe(202);
    expect(appended).toEqual(["later"]);
    catchUp();
    expect(await held).toBe(202);
    expect(appended).toEqual(["later", "held"]);
  } finally {
    catchUp();
    await ingress.stop();
  }
});

test("who sends little does not wait for what another has sent", async () => {
  const [busy, calm] = await Promise.all([world.addPartner(), world.addPartner()]);
  const { promise: caughtUp, resolve: catchUp } = Promise.withResolvers<void>();
  let behind = false;
  const ingress = await ingressOn(
    world,
    (log) => (appends) => log.append(appends),
    undefined,
    () => (behind ? caughtUp : undefined),
  );
  const send = async (key: string) => (await ingress.post(key, "/api/v1/messages", sms)).status;
  try {
    expect(await send(calm.key)).toBe(202);
    for (let index = 0; index < 20; index++) expect(await send(busy.key)).toBe(202);
    behind = true;
    let ended = false;
    const held = send(busy.key).finally(() => (ended = true));
    expect(await send(calm.key)).toBe(202);
    expect(ended).toBe(false);
    catchUp();
    expect(await held).toBe(202);
  } finally {
    catchUp();
    await ingress.stop();
  }
});

test("of one who floods four sends are stored at once while others send, and theirs wait for none of his", async () => {
  const [busy, calm] = await Promise.all([world.addPartner(), world.addPartner()]);
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const gate = { shut: false, under: 0, most: 0 };
  const ingress = await ingressOn(world, (log) => async (appends) => {
    if (!gate.shut || appends[0]!.events[0]!.metadata.partner !== busy.id)
      return log.append(appends);
    gate.most = Math.max(gate.most, ++gate.under);
    await opened;
    return log.append(appends).finally(() => gate.under--);
  });
  const send = async (key: string) => (await ingress.post(key, "/api/v1/messages", sms)).status;
  try {
    await ingress.post(calm.key, path, { messages: many(8) });
    await ingress.post(busy.key, path, { messages: many(150) });
    gate.shut = true;
    const flood = Array.from({ length: 30 }, () => send(busy.key));
    await until(() => gate.under === 4);
    expect(await send(calm.key)).toBe(202);
    open();
    expect(new Set(await Promise.all(flood))).toEqual(new Set([202]));
    expect([gate.most, gate.under]).toEqual([4, 0]);
  } finally {
    open();
    await ingress.stop();
  }
});

test("an outage that fails every request is reported once a second, a bug each time", async () => {
  const { key } = await world.addPartner();
  const lines: string[] = [];
  const logger = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  let failure: Error = Object.assign(new Error("away"), { code: "57P01" });
  const ingress = await ingressOn(world, () => () => Promise.reject(failure), logger);
  const send = async () => (await ingress.post(key, "/api/v1/messages", sms)).status;
  try {
    const started = performance.now();
    // However long they take.
    const most = () => 1 + Math.floor((performance.now() - started) / 1_000);
    expect(await Promise.all(Array.from({ length: 30 }, send))).toEqual(Array(30).fill(503));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(most());
    const before = lines.length;
    await until(async () => (await send()) === 503 && lines.length > before);
    expect(lines.length).toBeLessThanOrEqual(most());
    failure = new Error("a bug");
    const told = lines.length;
    expect(await Promise.all([send(), send(), send()])).toEqual([500, 500, 500]);
    expect(lines).toHaveLength(told + 3);
  } finally {
    await ingress.stop();
  }
});
