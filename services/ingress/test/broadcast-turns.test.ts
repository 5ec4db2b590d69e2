import { PublicError, streamOf, validateEvent } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { followUp, Others, sendsUnderWay } from "@heliograph/runtime";
import { expect, test, vi } from "vitest";
import { isDone } from "../src/broadcasts/fan-out.ts";
import { Lives } from "../src/broadcasts/lives.ts";
import { outcomeAfter } from "../src/broadcasts/reactor.ts";
import { afterPageMs, nextPageOf, roundOf, withRest } from "../src/broadcasts/turns.ts";
import { sendSome } from "../src/broadcasts/page.ts";
import { isUrgent } from "../src/broadcasts/sends.ts";
import { verdictOf } from "../src/broadcasts/verdict.ts";
import { contactsOf } from "../src/messages/addressed.ts";
import { appendOf } from "../src/messages/sealed.ts";
import { answerSend } from "../src/messages/waiting.ts";
import type { Job } from "../src/tables/fan-out.ts";

const job = (id: string, partner: string, more: Partial<Job> = {}): Job => ({
  id,
  partner,
  status: "running",
  send_at: null,
  started_position: "1",
  collected_to: "1",
  collected: true,
  audience: 3,
  accepted: 3,
  sent: 3,
  failed: 0,
  skipped: 0,
  ...more,
});

test("In a round each partner has one turn: of whichever of its broadcasts waits longest", () => {
  const due: Record<string, number> = { a1: -10, a2: -20, a3: 5, b1: -1, c1: 700 };
  const jobs = Object.keys(due).map((id) => job(id, id[0]!));
  const ids = (round: ReturnType<typeof roundOf>) => round.turns.map(({ id }) => id);
  const round = roundOf(jobs, ({ id }) => due[id]!);
  // Another one of a's is due: the next round is at once.
  expect([ids(round), round.waitMs]).toEqual([["a2", "b1"], 0]);
  const alone = roundOf(jobs.slice(3), ({ id }) => due[id]!);
  expect([ids(alone), alone.waitMs]).toEqual([["b1"], 700]);
});

test("A page is as long as the pace, what is under way and the others leave room for", () => {
  const busy = job("a", "a", { audience: 9_000, accepted: 3_000, sent: 2_000, failed: 30 });
  expect([nextPageOf(job("a", "a"), undefined, false), nextPageOf(busy, undefined, false)]).toEqual(
    [100, 30],
  );
  expect(nextPageOf({ ...busy, failed: 0 }, undefined, false)).toBe(0);
  expect(nextPageOf({ ...busy, accepted: 9_000 }, undefined, false)).toBe(0);
  expect(nextPageOf(busy, undefined, true)).toBe(20);
  expect([1, 36, 1_000].map((perSecond) => nextPageOf(job("a", "a"), perSecond, false))).toEqual([
    1, 9, 100,
  ]);
  // As many a second as it may, whatever a page came to.
  expect([afterPageMs(9, 36), afterPageMs(1, 4), afterPageMs(0, 4)]).toEqual([250, 250, 0]);
  expect(afterPageMs(100, undefined)).toBe(0);
});

test("After each turn the process rests as long as it took, unless it is to end", async () => {
  vi.useFakeTimers();
  try {
    const work = async (): Promise<unknown> => vi.advanceTimersByTime(40);
    const ended = vi.fn<() => void>();
    const resting = withRest(work, new AbortController().signal).then(ended);
    await vi.advanceTimersByTimeAsync(39);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await resting;
    await withRest(work, AbortSignal.abort());
    // A send that is under way draws the rest out, for 20 ms of its own.
    vi.advanceTimersByTime(1);
    const drawn = withRest(async () => {
      vi.advanceTimersByTime(40);
      sendsUnderWay.begin();
    }, new AbortController().signal).then(ended);
    await vi.advanceTimersByTimeAsync(30);
    const over = sendsUnderWay.begin();
    await vi.advanceTimersByTimeAsync(19);
    expect(ended).toHaveBeenCalledTimes(1);
    over();
    await drawn;
    // While others send, the consumers are let do what came of it, for four times what it took at most.
    let behind = 500;
    const forget = followUp.add(() => behind);
    const shared = withRest(work, new AbortController().signal, () => true).then(ended);
    await vi.advanceTimersByTimeAsync(190);
    expect(ended).toHaveBeenCalledTimes(2);
    behind = 0;
    await vi.advanceTimersByTimeAsync(2);
    await shared;
    behind = 500;
    await Promise.all([
      withRest(work, new AbortController().signal),
      vi.advanceTimersByTimeAsync(40),
    ]);
    forget();
  } finally {
    vi.useRealTimers();
  }
});

test("What takes long rests in the middle of it, each time as long as it took until then", async () => {
  vi.useFakeTimers();
  try {
    const reached = vi.fn<() => void>();
    const resting = withRest(async (rest) => {
      vi.advanceTimersByTime(40);
      await rest();
      reached();
      vi.advanceTimersByTime(10);
    }, new AbortController().signal);
    await vi.advanceTimersByTimeAsync(39);
    expect(reached).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(reached).toHaveBeenCalled();
    // What it has rested for already is not rested for again.
    await vi.advanceTimersByTimeAsync(10);
    await resting;
  } finally {
    vi.useRealTimers();
  }
});

test("Where others send, a page goes a few at a time with rests in between; a page that fails or is to end keeps what was sent", async () => {
  const items = Array.from({ length: 10 }, (_, at) => at) as never[];
  const ids = items.map(String);
  let now = 0;
  const others = new Others(() => now);
  const sent: string[][] = [];
  const crowds = new Set<unknown>();
  const rests: number[] = [];
  const ending = new AbortController();
  const send = async (sender: never, __: unknown, own: readonly string[]) => {
    sent.push([...own]);
    crowds.add(appendOf(sender, { data: { message_id: "m" } } as never, undefined).crowded);
    if (own.includes("99")) throw new PublicError("log_unavailable", "Away.");
    return own.map((id) => ({ kind: "sent", id }));
  };
  const page = {
    sends: { others, sending: { send } },
    sender: { metadata: () => ({}) },
    signal: ending.signal,
    rest: async () => void rests.push(sent.length),
  } as never;
  // Other broadcasts are nobody to make room for.
  expect([0, 1].map((priority) => isUrgent({ priority }))).toEqual([false, true]);
  expect((await sendSome(page, items, ids)).settled).toHaveLength(10);
  expect([sent.splice(0).length, rests.splice(0), ...crowds]).toEqual([1, [], undefined]);
  others.seen();
  expect((await sendSome(page, items, ids)).settled).toHaveLength(10);
  expect([sent.map(({ length }) => length), rests]).toEqual([
    [4, 4, 2],
    [1, 2],
  ]);
  // Whoever sends beside a crowd is not to wait for its company; what a broadcast of a few a second sends is none.
  expect([...crowds]).toEqual([undefined]);
  const crowd = Array.from({ length: 20 }, (_, at) => at) as never[];
  expect((await sendSome(page, crowd, crowd.map(String))).settled).toHaveLength(20);
  expect([...crowds]).toEqual([undefined, true]);
  const broken = await sendSome(page, items, [...ids.slice(0, 5), "99", ...ids.slice(6)]);
  expect([broken.settled.length, broken.failure?.kind]).toEqual([4, "later"]);
  now = 10_000;
  sent.length = 0;
  await sendSome(page, items, ids);
  expect(sent).toEqual([ids]);
  ending.abort();
  expect(await sendSome(page, items, ids)).toEqual({ settled: [], failure: undefined });
});

test("A send is under way for broadcasts until it is answered, whether or not it is accepted", async () => {
  vi.useFakeTimers();
  try {
    const call = { request: { headers: {} } } as never;
    for (const fails of [false, true]) {
      const began = performance.now();
      const accepting = Promise.withResolvers<never>();
      const answering = answerSend(call, "m", () => accepting.promise);
      const found = vi.fn<() => void>();
      const gap = sendsUnderWay.gap(15).then(found);
      await vi.advanceTimersByTimeAsync(10);
      expect(found).not.toHaveBeenCalled();
      if (fails) accepting.reject(new Error("away"));
      else accepting.resolve({ body: {}, replayed: false } as never);
      await Promise.allSettled([answering, gap]);
      expect(performance.now()).toBeLessThan(began + 15);
    }
    // One that fails before it is begun: nothing here waits for outcomes.
    const waits = { request: { headers: { prefer: "wait=5" } } } as never;
    const answer = answerSend(waits, "m", () => Promise.reject(new Error("away")));
    await expect(answer).rejects.toThrow("before its service was opened");
    const found = vi.fn<() => void>();
    void sendsUnderWay.gap(15).then(found);
    await vi.advanceTimersByTimeAsync(0);
    expect(found).toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});

test("At a limit that is full until midnight it asks again within a minute", () => {
  const full = (retryAfterSeconds: number) =>
    verdictOf(new PublicError("rate_limited", "Full.", { retryAfterSeconds }));
  expect([full(40_000), full(2)]).toEqual([
    { kind: "later", afterMs: 60_000 },
    { kind: "later", afterMs: 2_000 },
  ]);
});

test("What will do in a moment stops nobody for good, whatever its status is", () => {
  // Claims of a pool's senders that met, a key whose first request still runs.
  for (const code of ["conflict", "idempotency_in_progress"] as const) {
    const meets = new PublicError(code, "Try again in a second.", { retryAfterSeconds: 1 });
    expect(verdictOf(meets)).toEqual({ kind: "later", afterMs: 1_000 });
  }
});

test("What a template has of late is nothing that a contact's own value could mend", () => {
  const about = (code: string) => {
    const errors = [{ path: "variables.plan", code, message: "It is wrong." }];
    return verdictOf(new PublicError("template_variables_invalid", "x", { errors }), ["plan"]).kind;
  };
  expect(["wrong_type", "too_long", "too_many_blanks", "unknown", "required"].map(about)).toEqual([
    "skip",
    "skip",
    "skip",
    "pause",
    "pause",
  ]);
});

test("It is over when as many have an outcome as were accepted, or more", () => {
  expect(isDone(job("a", "a", { failed: 1 }))).toBe(true);
  expect(isDone(job("a", "a", { sent: 2 }))).toBe(false);
  expect(isDone(job("a", "a", { collected: false }))).toBe(false);
});

test("An audience has at most ten attributes, in an event too", () => {
  const created = (count: number) => ({
    type: "BroadcastCreated",
    version: 1,
    data: {
      broadcast_id: "brc_1",
      audience: {
        attribute: Object.fromEntries(Array.from({ length: count }, (_, at) => [at, at])),
      },
      send: { channel: "sms", text: "x" },
      created_at: "2026-01-01T00:00:00.000Z",
    },
  });
  expect(validateEvent(created(10))).toBeUndefined();
  expect(validateEvent(created(11))).toMatch(/10/);
});

const event = (type: string, data: object, revision = 0) =>
  ({ type, data: { message_id: "m", ...data }, metadata: {}, revision }) as never;
const outcomeOf = (...events: readonly Parameters<typeof outcomeAfter>[1][]) =>
  events.reduce(outcomeAfter, undefined as Parameters<typeof outcomeAfter>[0])?.outcome;

test("Mail that came back has failed, and a correction takes back whatever was told", () => {
  const [sent, bounced] = [event("MessageSent", {}), event("MessageBounced", {})];
  const corrected = (status: string) => event("MessageCorrected", { status });
  expect(outcomeOf(sent, bounced)).toBe("failed");
  expect(outcomeOf(bounced, sent)).toBe("failed");
  expect(outcomeOf(sent, bounced, corrected("delivered"))).toBe("sent");
  expect(outcomeOf(sent, corrected("bounced"))).toBe("failed");
  expect(outcomeOf(sent, corrected("failed"), corrected("sent"), bounced)).toBe("failed");
  // Of what was uncertain a receipt alone may tell that it was sent.
  const [delivered, read] = [event("MessageDelivered", {}), event("MessageRead", {})];
  expect([outcomeOf(delivered), outcomeOf(read)]).toEqual(["sent", "sent"]);
  expect(outcomeOf(bounced, delivered)).toBe("failed");
});

test("A broadcast is read once, and then what came since", async () => {
  const stream = [
    event("BroadcastCreated", { broadcast_id: "b" }),
    event("BroadcastStarted", {}, 1),
  ];
  const read: RecordedEvent[] = [];
  const log = {
    async *scanStream(_: string, { from = 0 } = {}) {
      for (const each of stream.slice(from)) {
        read.push(each);
        yield each;
      }
    },
  } as never;
  const lives = new Lives();
  expect((await lives.read(log, "b"))?.status).toBe("running");
  stream.push(event("BroadcastCanceled", { canceled_at: "now" }, 2));
  expect((await lives.read(log, "b"))?.status).toBe("canceled");
  expect(read.length).toBe(3);
  for (let at = 0; at < 60; at++) await lives.read(log, `b${at}`);
  read.length = 0;
  await lives.read(log, "b59");
  expect(read.length).toBe(0);
  lives.keepOnly(new Set());
  await lives.read(log, "b59");
  expect(read.length).toBe(3);
});

test("The contacts of a request are read together, and each once", async () => {
  const readStreams = vi.fn<() => Promise<Map<string, unknown>>>(async () => new Map());
  const scanStream = vi.fn<() => void>();
  const vault = { open: async () => (each: unknown) => each };
  const sender = {
    deps: { log: { readStreams, scanStream }, vault },
    partner: { partner_id: "p" },
  };
  const [one, two] = ["A", "B"].map((end) => `cnt_${"0".repeat(25)}${end}`);
  const bodies = [one, two, one, undefined, "Ada"].map((id) => ({ contact_id: id }));
  const reached = await contactsOf(sender as never, bodies);
  expect(readStreams.mock.calls).toEqual([
    [[streamOf("contact", one!), streamOf("contact", two!)], { limit: 20 }],
  ]);
  expect(scanStream).not.toHaveBeenCalled();
  expect(reached("Ada", "sms")).toEqual({ kind: "unknown" });
  expect(contactsOf(sender as never, [{}])).not.toBeInstanceOf(Promise);
});
