import { deterministicId } from "@heliograph/contracts";
import { loosely, until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { Executor } from "../src/executor.ts";
import { Inbox } from "../src/inbox.ts";
import { typesOf } from "./harness.ts";
import { Sim } from "./sim.ts";

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

test("who decided an end, was away and wakes up beside a successor that has not heard of it ends nothing: the successor found it announced", async () => {
  const sim = new Sim(1, [{}]);
  sim.wild = false;
  await sim.start("dies");
  const stalled = sim.process;
  // By its clock the validity is over.
  stalled.skewMs = 3_600_000;
  const order = { to: "+15550000001", expires_at: new Date(sim.now + 600_000).toISOString() };
  const ids = await sim.accept([order], deterministicId("ptn", "one"));
  await sim.feed(stalled, true);
  while (!stalled.underWay.includes("append")) await stalled.advance();
  await sim.start("goes on");
  await sim.feed(sim.process, true);
  // The successor goes on for as long as it can before a provider answers it.
  while (sim.calls.size === 0 && (await sim.process.advance()));
  while (await stalled.advance());
  await sim.rest();
  expect(await typesOf(sim.log, ids[0]!)).toEqual(["MessageRequested", "MessageExpired"]);
  expect(sim.tables.intents).toEqual(new Map());
});
