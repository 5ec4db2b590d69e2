import type { RecordedEvent } from "@heliograph/log";
import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDesk, startDesk, type TestDesk, type Thread } from "./assignment-harness.ts";

let desk: TestDesk;
let running: Awaited<ReturnType<typeof startDesk>>;
beforeEach(async () => {
  desk = await openDesk();
  running = await startDesk(desk.context);
});
afterEach(async () => {
  await running.stop();
  await desk.close();
});

const overdue = async (thread: Thread) =>
  (await desk.events(thread)).filter(({ type }) => type === "ConversationOverdue");
const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
const staffed = async (given: object) => {
  const ada = desk.agent("Ada", { capacity: 10 });
  await desk.team({ agent_ids: [ada], ...given });
  await desk.presence(ada, "online");
  return ada;
};

describe("a robot does not meet the target", () => {
  it.each([
    ["a note", (thread: Thread) => desk.note(thread)],
    ["what a machine answers", (thread: Thread) => desk.reply(thread, false)],
  ])("%s is no first response: it is overdue, once", async (_, robot) => {
    const ada = await staffed({ first_response_seconds: 60 });
    const openedAt = ago(120);
    const thread = await desk.open({ openedAt });
    await robot(thread);
    await running.run();
    await running.run();
    const told = await overdue(thread);
    expect(told).toHaveLength(1);
    expect(told[0]!.data).toMatchObject({
      target: "first_response",
      due_at: new Date(Date.parse(openedAt) + 60_000).toISOString(),
      agent: { id: ada },
    });
  });

  it("an agent's message to the customer is one: nothing is overdue", async () => {
    await staffed({ first_response_seconds: 60 });
    const thread = await desk.open({ openedAt: ago(120) });
    await desk.reply(thread);
    await running.run();
    expect(await overdue(thread)).toEqual([]);
    const assigned = (await desk.events(thread)).find(
      ({ type }) => type === "ConversationAssigned",
    );
    expect(assigned!.data).toMatchObject({ first_response_due_at: null });
  });
});

describe("targets", () => {
  it("become due with time alone, and each is told once", async () => {
    await staffed({ first_response_seconds: 2, resolution_seconds: 1 });
    const thread = await desk.open();
    await running.run();
    await until(async () => (await overdue(thread)).length === 2 || undefined);
    await running.run();
    const told = (await overdue(thread)) as RecordedEvent<"ConversationOverdue">[];
    expect(told.map(({ data }) => data.target).toSorted()).toEqual([
      "first_response",
      "resolution",
    ]);
    for (const { data, recordedAt } of told)
      expect(recordedAt).toBeGreaterThanOrEqual(Date.parse(data.due_at));
  });

  it("are over with the closing, and stay so when it is reopened", async () => {
    await staffed({ first_response_seconds: 3_600, resolution_seconds: 60 });
    const thread = await desk.open({ openedAt: ago(30) });
    await running.run();
    await desk.closed(thread);
    await desk.reopened(thread);
    await desk.ask(thread);
    await running.run();
    const assigned = (await desk.events(thread)).at(-1)!;
    expect(assigned.data).toMatchObject({
      first_response_due_at: null,
      resolution_due_at: null,
    });
  });

  it("hold for who waits too, by the team that it waits for", async () => {
    const ada = desk.agent("Ada");
    await desk.team({ agent_ids: [ada], first_response_seconds: 60 });
    const thread = await desk.open({ openedAt: ago(120) });
    await running.run();
    const types = (await desk.events(thread)).map(({ type }) => type);
    expect(types.slice(-2)).toEqual(["ConversationQueued", "ConversationOverdue"]);
  });

  it("survive a crash: the next owner tells what became due meanwhile, and nothing twice", async () => {
    await staffed({ first_response_seconds: 1, resolution_seconds: 3_600 });
    const thread = await desk.open();
    await running.run();
    const position = running.committed;
    await running.stop();
    const next = await startDesk(desk.context, position);
    await until(async () => (await overdue(thread)).length === 1 || undefined);
    await next.stop();
    // This one lost its last commit: the rows are of before.
    running = await startDesk(desk.context, 0n);
    await running.run();
    expect(await overdue(thread)).toHaveLength(1);
  });

  it("a first response that is answered while the target passes is decided on the newest state", async () => {
    await staffed({ first_response_seconds: 60 });
    const thread = await desk.open({ openedAt: ago(59.5) });
    await running.run();
    const { append } = desk.context.log;
    const log = desk.context.log as { append: typeof append };
    let answered = false;
    log.append = async (appends) => {
      if (!answered && appends.some(({ stream }) => stream === thread.stream)) {
        answered = true;
        await desk.reply(thread);
      }
      return append.call(desk.context.log, appends);
    };
    await until(() => answered || undefined);
    log.append = append;
    await running.run();
    expect(await overdue(thread)).toEqual([]);
  });
});
