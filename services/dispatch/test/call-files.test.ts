import { BytesLost } from "@heliograph/attachments";
import type { Attempt } from "@heliograph/gateways";
import { newLogger, realClock } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import { afterEach, expect, test, vi } from "vitest";
import { createBreaker } from "../src/breaker.ts";
import { createReader, type ReadFile } from "../src/call-files.ts";
import { createCaller } from "../src/caller.ts";
import { announced } from "../src/calls.ts";
import { type At, openDesk, type Turn } from "../src/desk.ts";
import { createRoom } from "../src/file-room.ts";
import { Inbox } from "../src/inbox.ts";
import type { Admitted } from "../src/job.ts";
import { createRest } from "../src/rest.ts";
import { step } from "../src/step.ts";

afterEach(() => void vi.useRealTimers());

const roomFor = (bytes: number) => createRoom({ bytes, waiting: 2, waitMs: 1_000 });

test("mails with files wait for room in turns of their partners, nobody passes who is before, and only few wait, and not long", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const room = roomFor(10);
  const given: string[] = [];
  const ask = async (name: string, partner: string, bytes: number) => {
    const release = await room(partner, bytes);
    given.push(release === undefined ? `no ${name}` : name);
    return release!;
  };
  const first = await ask("first", "a", 8);
  const large = ask("large", "a", 9);
  const other = ask("other", "b", 2);
  await ask("too many", "c", 1);
  expect(given, "nobody passes who is before").toEqual(["first", "no too many"]);
  vi.advanceTimersByTime(1_000);
  await Promise.all([large, other]);
  expect(given.slice(2).toSorted()).toEqual(["no large", "other"]);
  first();
  (await other)();
  const all = await ask("more than all", "a", 99);
  const second = ask("second", "a", 10);
  all();
  (await second)();
  expect(given.slice(4)).toEqual(["more than all", "second"]);
});

/** A gateway that takes files, and what is called with a clock that stands. */
function scene(read: ReadFile) {
  const sent: string[] = [];
  const breaker = createBreaker(1);
  const connection: Admitted["given"]["connection"] = loosely({
    name: "mail",
    config: { max_concurrent: 10, timeout_ms: 10_000, kind: "smtp" },
    gateway: {
      takesFiles: true,
      send: async ({ messageId, files = [] }: Attempt, signal: AbortSignal) => {
        sent.push(`${messageId} ${files.length}`);
        if (messageId !== "slow") return { type: "uncertain", cause: "timeout" };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return { type: "uncertain", cause: "timeout" };
      },
    },
    count: () => undefined,
    open: 0,
    active: 0,
    breaker,
    rest: createRest(1),
    stats: { record: () => undefined },
    nextAt: () => undefined,
  });
  const inbox = new Inbox();
  const logger = newLogger("silent");
  const owns = { alive: true, provedAt: Number.POSITIVE_INFINITY, prove: async () => true };
  const caller = createCaller({
    logger,
    now: () => 0,
    ownership: owns,
    inbox,
    broken: (error) => {
      throw error;
    },
    files: createReader({ logger }, read, roomFor(100_000_000)),
  });
  const at: At = {
    now: 0,
    clock: { ...realClock, now: () => 0 },
    random: () => 0,
    scale: 1,
    links: loosely({}),
    gateways: loosely({ forChannel: () => [] }),
    inbox,
  };
  const desk = openDesk({
    owner: null,
    epoch: 1,
    position: 0n,
    headAtStart: 9n,
    unsettled: new Map(),
    mostJobs: 100,
    requestBytes: 1_000,
  });
  const admitted = (messageId: string, bytes: number): Admitted => ({
    phase: "admitted",
    messageId,
    task: loosely({
      messageId,
      lane: messageId,
      expiresAt: Number.POSITIVE_INFINITY,
      moment: {},
      state: {
        revision: 0,
        request: { channel: "email", to: "a@b.example", expires_at: "2030-01-01T00:00:00.000Z" },
        requestEvent: { id: "1", recordedAt: 0, metadata: { partner: "ptn_1" } },
        spent: { ordinary: 0, deferred: 0 },
        failed: [],
        calls: 0,
      },
    }),
    given: loosely({
      connection,
      choice: { policy: "priority" },
      ticket: breaker.begin(0),
      sending: {
        messageId,
        partner: "ptn_1",
        ...(bytes > 0 && { media: [{ url: "", attachmentId: messageId, bytes }] }),
      },
      group: { id: "1", open: new Map([[messageId, 1]]) },
    }),
  });
  return {
    sent,
    breaker,
    desk,
    /** Calls them, and hands in what it came to. */
    async call(messageId: string, bytes = 1) {
      const turn: Turn = { desk, at, effects: [] };
      announced(turn, [admitted(messageId, bytes)]);
      for (const effect of turn.effects) if (effect.type === "call") await caller.call(effect.job);
      const inputs = inbox.take();
      const effects = inputs.flatMap((input) => step(desk, [input], at));
      return { inputs, effects };
    },
  };
}

const away = (): never => {
  throw new Error("the storage answers GET with 503");
};

test("files that cannot be read are no fault of the gateway: their message waits, and others go out by it", async () => {
  const { sent, breaker, desk, call } = scene(async () => away());
  for (let count = 0; count < 9; count++) await call(`away ${count}`);
  expect([breaker.state(0), desk.rows.isSetting("away 0"), sent]).toEqual(["closed", true, []]);
  await call("plain", 0);
  expect(sent).toEqual(["plain 0"]);
});

test("a probe whose files cannot be read, or are lost, decides nothing, and leaves its place to another", async () => {
  const { breaker, call } = scene(async (id) => (id === "away" ? away() : undefined));
  const dead = breaker.begin(0);
  breaker.unreachable(dead, -6_000);
  expect([breaker.state(0), breaker.admits(0)]).toEqual(["half_open", true]);
  for (const id of ["away", "gone"]) {
    await call(id);
    expect([breaker.state(0), breaker.admits(0)], id).toEqual(["half_open", true]);
  }
});

test("a file that is gone or whose bytes are lost ends its message with the reason", async () => {
  const { sent, call } = scene(async (id) => {
    if (id === "lost") throw new BytesLost("they are not in the store");
    return undefined;
  });
  const said = async (id: string) => {
    const { effects } = await call(id);
    return effects.flatMap((each) =>
      each.type === "append" && each.entry.type === "outcome" ? each.entry.events : [],
    );
  };
  for (const [id, text] of [
    ["gone", "one of its files is gone"],
    ["lost", "the bytes of one of its files are lost"],
  ] as const) {
    const [failed] = await said(id);
    expect(failed?.data, id).toMatchObject({
      error: { code: "content_rejected", permanent: true, provider: { text } },
    });
  }
  expect(sent).toEqual([]);
});

test("the time of a call begins when its files are there, and grows with them", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const read = Promise.withResolvers<Buffer>();
  const { sent, call } = scene(() => read.promise);
  let isOver = false;
  const calling = call("slow", 2_500_000).then(() => (isOver = true));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(sent).toEqual([]);
  read.resolve(Buffer.from("x"));
  await vi.advanceTimersByTimeAsync(39_000);
  expect([sent, isOver]).toEqual([["slow 1"], false]);
  await vi.advanceTimersByTimeAsync(2_000);
  await calling;
});
