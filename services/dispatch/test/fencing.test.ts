import { uuid7 } from "@heliograph/contracts";
import { openMemoryLog, type EventLog } from "@heliograph/log";
import { loosely, until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import type { Entry } from "../src/desk.ts";
import { Executor } from "../src/executor.ts";
import { Inbox } from "../src/inbox.ts";
import { createRecorder } from "../src/recorder.ts";

test("a stream is read before its owner is proved, so that nothing which a successor wrote is taken for what was there", async () => {
  const asked: string[] = [];
  const inbox = new Inbox();
  const executor = new Executor(
    loosely({
      inbox,
      log: { readStream: async () => (asked.push("read"), []) },
      owner: { prove: async () => (asked.push("prove"), true) },
    }),
  );
  executor.do({ type: "read again", entry: loosely({ append: { stream: "message-1" } }) });
  await until(() => !inbox.isEmpty);
  expect(asked).toEqual(["read", "prove"]);
  expect(inbox.take().map(({ type }) => type)).toEqual(["overtaken"]);
});

const entryOf = (type: Entry["type"], stream: string): Entry =>
  loosely({
    type,
    append: {
      stream,
      expected: "no_stream",
      events: [{ id: uuid7(), type: "MessageExpired", data: {}, metadata: {} }],
    },
  });

test.each([
  { silentForMs: 0, alive: true, isOwner: false, recorded: ["look", "outcome"], asked: 0 },
  { silentForMs: 5_001, alive: true, isOwner: true, recorded: ["look", "outcome"], asked: 1 },
  { silentForMs: 5_001, alive: true, isOwner: false, recorded: ["outcome"], asked: 1 },
  { silentForMs: 0, alive: false, isOwner: false, recorded: ["outcome"], asked: 0 },
])(
  "who may have been away records what a provider said, and ends no message: %o",
  async ({ silentForMs, alive, isOwner, recorded, asked }) => {
    const log: EventLog = openMemoryLog();
    const inbox = new Inbox();
    let proofs = 0;
    const ownership = {
      alive,
      provedAt: performance.now() - silentForMs,
      ended: new AbortController().signal,
      prove: async () => (proofs++, isOwner),
    };
    const broken = (error: unknown): never => {
      throw error;
    };
    const recorder = createRecorder(log, ownership, inbox, broken);
    recorder.push(entryOf("look", "message-look"));
    recorder.push(entryOf("outcome", "message-outcome"));
    await until(() => recorder.pending === 0);
    const { events } = await log.readAll({ after: 0n, limit: 10 });
    expect([events.map(({ stream }) => stream.slice("message-".length)), proofs]).toEqual([
      recorded,
      asked,
    ]);
  },
);
