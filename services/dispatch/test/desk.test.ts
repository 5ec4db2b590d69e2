import { FairQueue, type RecordedEvent } from "@heliograph/log";
import { realClock } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { announced, answered, notMade, placed } from "../src/calls.ts";
import type { Connection } from "../src/connections.ts";
import {
  type At,
  type Effect,
  type Input,
  openDesk,
  type OpenDesk,
  type OutcomeEntry,
  type Turn,
} from "../src/desk.ts";
import type { Admitted, Called } from "../src/job.ts";
import { createRest } from "../src/rest.ts";
import { rowsTaken, takeWhatIsDue } from "../src/due.ts";
import { step } from "../src/step.ts";

const newDesk = (): OpenDesk =>
  openDesk({
    owner: null,
    epoch: 1,
    position: 0n,
    headAtStart: 9n,
    unsettled: new Map(),
    mostJobs: 100,
    requestBytes: 1_000,
  });
const at = (changes: Partial<At> = {}): At => ({
  now: 0,
  clock: realClock,
  random: () => 0,
  scale: 1,
  links: loosely({}),
  gateways: loosely({ forChannel: () => [] }),
  inbox: { put: () => undefined },
  ...changes,
});

const clockAt = (ms: number) => ({ ...realClock, now: () => ms });

const held = (partner: string, position: bigint, ids: readonly string[]): RecordedEvent =>
  loosely({
    type: "FundsHeld",
    position,
    data: { entries: ids.map((message_id) => ({ message_id })) },
    metadata: { partner },
  });
const named = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index}`);

test("a flood has half of memory, the rest of it becomes rows, and who stands behind it in the feed goes on", () => {
  const desk = newDesk();
  const [flood, others] = [named("f", 1_000), named("o", 10)];
  const events = [held("flooder", 1n, flood), held("other", 2n, others)];
  const effects = [
    { type: "batch", events, position: 2n } as const,
    { type: "all read", for: "feed" } as const,
    { type: "pause" } as const,
    { type: "all read", for: "feed" } as const,
    { type: "pause" } as const,
  ].flatMap((input) => step(desk, [input], at()));
  const begun = effects.flatMap((effect) =>
    effect.type === "read" ? effect.jobs.map(({ messageId }) => messageId) : [],
  );
  expect(effects).toContainEqual({ type: "batch over" });
  expect(begun.filter((id) => id.startsWith("f"))).toHaveLength(50);
  expect(begun.slice(-10)).toEqual(others);
  const commit = effects.find(({ type }) => type === "commit");
  if (commit?.type !== "commit") throw new Error("nothing is committed");
  const rows: string[] = loosely(commit.parts[0]!.values[0]);
  // That memory was full says nothing of a message: one that is scheduled waits on.
  expect(new Set(loosely(commit.parts[0]!.values[2]))).toEqual(new Set(["look"]));
  // Each is in one place.
  expect([...begun, ...rows].toSorted()).toEqual([...flood, ...others].toSorted());
  expect(desk.floor.position()).toBe(0n);
  for (const job of desk.jobs) desk.jobs.remove(job);
  expect([desk.jobs.size, desk.jobs.sizeOf("flooder")]).toEqual([0, 0]);
});

test("while more is set aside than the database has taken, the feed waits", () => {
  const desk = newDesk();
  const events = Array.from({ length: 60 }, (_, index) =>
    held("flooder", BigInt(index + 1), named(`${index} `, 500)),
  );
  const said = (...inputs: readonly Input[]): readonly Effect[] =>
    [...inputs, { type: "pause" } as const].flatMap((input) => step(desk, [input], at()));
  const isOver = (effects: readonly Effect[]): boolean =>
    effects.some(({ type }) => type === "batch over");
  let effects = said({ type: "batch", events, position: 60n });
  for (let count = 0; count < 70; count++) effects = said({ type: "all read", for: "feed" });
  expect([isOver(effects), desk.rows.count < 11_000]).toEqual([false, true]);
  for (let count = 0; count < 4 && !isOver(effects); count++)
    effects = said({ type: "committed", commit: desk.committing! });
  expect(isOver(effects)).toBe(true);
});

const connection = (): Connection =>
  loosely({
    name: "a",
    config: { max_concurrent: 1 },
    open: 1,
    active: 0,
    blocked: new FairQueue(),
    stats: { record: () => undefined },
    breaker: { record: () => undefined },
    rest: createRest(1),
  });
const admitted = (partner: string, messageId: string, given: Connection): Admitted => ({
  phase: "admitted",
  messageId,
  task: loosely({
    messageId,
    lane: messageId,
    expiresAt: Number.POSITIVE_INFINITY,
    moment: {},
    state: {
      request: { channel: "sms", to: "+1", price: {}, segments: {} },
      requestEvent: { id: "1", metadata: { partner } },
      spent: { ordinary: 0, deferred: 0 },
      failed: [],
      delays: [],
      calls: 0,
    },
  }),
  given: loosely({
    connection: given,
    choice: {},
    sending: {},
    group: { id: "1", open: new Map() },
  }),
});

test("of the calls that wait for a place at a gateway each partner's has its turn", () => {
  const given = connection();
  const turn: Turn = { desk: newDesk(), at: at(), effects: [] };
  const jobs = named("f", 6).map((id) => admitted("flooder", id, given));
  announced(turn, [...jobs, admitted("other", "o", given)]);
  const called: string[] = [];
  for (let effect = turn.effects.shift(); effect !== undefined; effect = turn.effects.shift()) {
    if (effect.type === "call") {
      called.push(effect.job.messageId);
      notMade(turn, effect.job);
    } else if (effect.type === "give place")
      placed(turn, { type: "place", lane: effect.waiter.lane, connection: effect.connection });
  }
  expect(called).toHaveLength(7);
  // One was called at once, one was the next in its turn.
  expect(called.indexOf("o")).toBeLessThanOrEqual(2);
  expect(given.active).toBe(0);
});

const soon = { from: "00:01", to: "00:31", policy: "delay", zones: ["UTC"], found: "request" };
test.each([
  ["validity ends", { expiresAt: 50 }],
  ["quiet hours begin", { state: { request: { quiet_hours: soon } } }],
])(
  "an announced call whose %s behind a slow one of its recipient is not made, and becomes a row again",
  (_, of) => {
    const given = connection();
    Object.assign(given.breaker, { abandoned: () => undefined });
    const turn: Turn = { desk: newDesk(), at: at({ clock: clockAt(0) }), effects: [] };
    const jobs = ["a", "b", "c"].map((id) => {
      const job = admitted("one", id, given);
      Object.assign(job.task, { lane: "one", expiresAt: 90_000 }, id === "b" ? of : {});
      return job;
    });
    announced(turn, jobs);
    const called = () => turn.effects.flatMap((each) => (each.type === "call" ? [each.job] : []));
    const later = at({ clock: clockAt(60_000), now: 60_000 });
    notMade({ desk: turn.desk, effects: turn.effects, at: later }, called()[0]!);
    expect(called().map(({ messageId }) => messageId)).toEqual(["a", "c"]);
    expect([turn.desk.rows.isSetting("b"), turn.desk.jobs.has("b")]).toEqual([true, false]);
  },
);

test("a call goes out with a place of its own gateway, whichever the one before it in its lane had", () => {
  const [one, other] = [connection(), connection()];
  const turn: Turn = { desk: newDesk(), at: at(), effects: [] };
  const inLane = (id: string, lane: string, given: Connection): Admitted => {
    const job = admitted("one", id, given);
    Object.assign(job.task, { lane });
    return job;
  };
  announced(turn, [
    inLane("a", "first", one),
    inLane("b", "first", other),
    inLane("c", "second", other),
  ]);
  const called = () => turn.effects.flatMap((each) => (each.type === "call" ? [each.job] : []));
  expect(called().map(({ messageId }) => messageId)).toEqual(["a", "c"]);
  notMade(turn, called()[0]!);
  // "b" waits for "c" at the other gateway.
  expect([called().length, one.active, other.active]).toEqual([2, 0, 1]);
  notMade(turn, called()[1]!);
  const place = turn.effects.find((each) => each.type === "give place")!;
  placed(turn, { type: "place", lane: place.waiter.lane, connection: place.connection });
  expect(called().map(({ messageId }) => messageId)).toEqual(["a", "c", "b"]);
});

test("an outcome that cannot be settled stops its own message, and the gateway has its place back", () => {
  const given = connection();
  // No time can be made of a wait that is none.
  const turn: Turn = { desk: newDesk(), at: at({ scale: Number.NaN }), effects: [] };
  announced(turn, [admitted("one", "a", given)]);
  const [call] = turn.effects.splice(0) as [{ readonly type: "call"; readonly job: Called }];
  const error = { code: "x", class: "provider", permanent: false } as const;
  answered(turn, call.job, { type: "rejected", error }, 1);
  expect(turn.effects.map(({ type }) => type)).toEqual(["halted", "release"]);
  expect([given.open, given.active]).toEqual([0, 0]);
  expect([...turn.desk.jobs].map(({ phase }) => phase)).toEqual(["stranded"]);
});

test("an answer that comes a second time, or after all was given back, changes nothing more", () => {
  const given = connection();
  const desk = newDesk();
  const turn: Turn = { desk, at: at(), effects: [] };
  announced(turn, [admitted("one", "a", given)]);
  const [call] = turn.effects.splice(0) as [{ readonly type: "call"; readonly job: Called }];
  const result = { type: "unavailable", error: loosely({}), retryAfterMs: 5 } as const;
  Object.assign(given.breaker, { abandoned: () => undefined, unreachable: () => undefined });
  const closed = step(desk, [{ type: "stop" }, { type: "close" }], at());
  expect(closed.map(({ type }) => type)).toEqual(["release", "over"]);
  const late = { type: "answered", job: call.job, result, durationMs: 1 } as const;
  expect(step(desk, [late, late], at())).toEqual([]);
  expect([given.open, given.active]).toEqual([0, 0]);
});

test("who stops waits for the commit that is under way, and for none that failed", () => {
  const stopped = (lost: boolean) => {
    const desk = newDesk();
    const events = [held("flooder", 1n, named("f", 1_000))];
    step(desk, [{ type: "batch", events, position: 1n }, { type: "pause" }], at());
    step(desk, [{ type: "all read", for: "feed" }, { type: "pause" }], at());
    expect(desk.committing).toBeDefined();
    if (lost) step(desk, [{ type: "broken", commit: true }], at());
    return step(desk, [{ type: "stop" }, { type: "finish" }, { type: "pause" }], at());
  };
  expect(stopped(true)).toContainEqual({ type: "over", what: "commits" });
  expect(stopped(false)).not.toContainEqual({ type: "over", what: "commits" });
});

test("a call is under way until the log has its outcome, also while its stream is read again", () => {
  const given = connection();
  const turn: Turn = { desk: newDesk(), at: at(), effects: [] };
  const { jobs } = turn.desk;
  announced(turn, [admitted("one", "a", given)]);
  const [call] = turn.effects.splice(0) as [{ readonly type: "call"; readonly job: Called }];
  // Not made yet: the owner may have to be proved first.
  expect(jobs.areCalled).toBe(true);
  const error = { code: "x", class: "provider", permanent: true } as const;
  answered(turn, call.job, { type: "rejected", error }, 1);
  const said = (effects: readonly Effect[], type: "append" | "read again"): OutcomeEntry => {
    const effect = effects.find((each) => each.type === type);
    if (effect?.type !== type || effect.entry.type !== "outcome") throw new Error(`no ${type}`);
    return effect.entry;
  };
  const written = (entry: OutcomeEntry, kind: "conflict" | "recorded") =>
    step(turn.desk, [{ type: "written", entry, outcome: { kind } }], at());
  const again = said(written(said(turn.effects, "append"), "conflict"), "read again");
  expect(jobs.areCalled).toBe(true);
  const overtaken = { type: "overtaken", entry: again, stored: [] } as const;
  const second = said(step(turn.desk, [overtaken], at()), "append");
  expect(jobs.areCalled).toBe(true);
  written(second, "recorded");
  expect(jobs.areCalled).toBe(false);
});

test("what is taken in the very millisecond in which it is due is judged by the clock as it goes on", () => {
  const desk = newDesk();
  const turn = { desk, at: at({ clock: clockAt(1_000) }), effects: [] };
  desk.asked = true;
  takeWhatIsDue(turn);
  const taking = desk.taking!;
  const row = { messageId: "a", dueAt: 1_000, kind: "retry", partner: "p", revision: 2 } as const;
  rowsTaken(turn, { type: "taken", of: taking, rows: [row], limit: 100, next: Infinity });
  expect([...desk.jobs]).toMatchObject([{ look: { waited: 2, at: undefined } }]);
});

test("a bounce of a message whose outcome cannot be recorded does not hold the checkpoint", () => {
  const desk = newDesk();
  const { messageId, task, given } = admitted("one", "a", connection());
  desk.jobs.put({ phase: "stranded", messageId, task, given });
  const bounce: RecordedEvent = loosely({
    type: "BounceDeferred",
    position: 5n,
    data: { message_id: "a" },
    metadata: { partner: "one" },
  });
  step(desk, [{ type: "batch", events: [bounce], position: 5n }], at());
  expect([desk.floor.position(), desk.rows.isSetting("a")]).toEqual([5n, true]);
});

test("calls that were under way when a provider takes no more are one failure, and what was announced to it is not made", () => {
  const recorded: string[] = [];
  const given = connection();
  Object.assign(given, { open: 4, config: { max_concurrent: 9 } });
  Object.assign(given.breaker, {
    record: () => recorded.push("failed"),
    abandoned: () => recorded.push("nothing"),
  });
  const gateways = loosely({ routeOf: () => ({ candidates: [given], failover: true }) });
  const turn: Turn = { desk: newDesk(), at: at({ gateways }), effects: [] };
  const jobs = ["a", "b", "c"].map((id) => admitted("one", id, given));
  const behind = admitted("one", "behind", given);
  Object.assign(behind.task, { lane: "a" });
  announced(turn, [...jobs, behind]);
  const calls = turn.effects.splice(0) as { readonly type: "call"; readonly job: Called }[];
  expect(calls.map(({ job }) => job.messageId)).toEqual(["a", "b", "c"]);
  const throttled = { type: "unavailable", error: loosely({}), throttles: "gateway" } as const;
  for (const { job } of calls) answered(turn, job, throttled, 1);
  // The last is what was withdrawn: nobody was called for it.
  expect(recorded.toSorted((one, other) => one.localeCompare(other))).toEqual([
    "failed",
    "nothing",
    "nothing",
    "nothing",
  ]);
  expect(turn.effects.filter(({ type }) => type === "call")).toEqual([]);
  // Places are given back with the outcomes.
  expect([given.active, given.open]).toEqual([0, 3]);
  expect(turn.desk.rows.isSetting("behind")).toBe(true);
  // The others say in their streams until when they wait.
  const told = turn.effects.flatMap((each) => (each.type === "append" ? [each.entry] : []));
  expect(told.flatMap(({ append }) => append.events.map(({ type }) => type))).toEqual(
    Array(3).fill("SendDelayed"),
  );
});
