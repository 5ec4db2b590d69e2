import { until } from "@heliograph/testkit";
import type { ConsumerConfig, Kafka } from "kafkajs";
import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { joinGroup } from "../src/member.ts";

type Joined = { readonly memberId: string; readonly memberAssignment: Record<string, number[]> };

/** A client whose cluster is the test: it says when a consumer has joined, and under which name. */
function clients() {
  const made: {
    readonly config: ConsumerConfig;
    running: boolean;
    join(memberId: string): void;
    beat(): void;
  }[] = [];
  const kafka = {
    consumer(config: ConsumerConfig) {
      const listeners = new Map<string, (event: { payload: Joined }) => void>();
      const client = {
        config,
        running: false,
        events: { CRASH: "crash", GROUP_JOIN: "join", HEARTBEAT: "beat" },
        on: (event: string, listener: (event: { payload: Joined }) => void) =>
          void listeners.set(event, listener),
        connect: async () => undefined,
        subscribe: async () => undefined,
        run: async () => void (client.running = true),
        disconnect: async () => void (client.running = false),
        resume: () => undefined,
        join: (memberId: string) =>
          listeners.get("join")!({ payload: { memberId, memberAssignment: { topic: [0, 1] } } }),
        beat: () => listeners.get("beat")!({ payload: { memberId: "", memberAssignment: {} } }),
      };
      made.push(client);
      return client;
    },
  };
  return { made, kafka: kafka as unknown as Kafka };
}

/** What is said at `info` and above: the level's number and the time that the group waits. */
function said() {
  const lines: unknown[] = [];
  const write = (line: string): void => {
    const { level, session_seconds } = JSON.parse(line);
    lines.push([level, session_seconds]);
  };
  return { lines, logger: pino({ level: "info" }, { write }) };
}
const [info, warn] = [30, 40];

test("a member that was taken for dead has more time from then on, up to a bound; one that only shares anew goes on as it is", async () => {
  const { made, kafka } = clients();
  const assigned: number[] = [];
  const sink = {
    assigned: (partitions: ReadonlySet<number>) => void assigned.push(partitions.size),
    records: () => undefined,
  };
  const { lines, logger } = said();
  const group = joinGroup(kafka, "group", "topic", sink, logger);
  onTestFinished(() => group.leave());
  for (const sessionTimeout of [6_000, 12_000, 24_000, 48_000]) {
    const count = made.length;
    await until(() => made.at(-1)?.running, { what: "a client runs" });
    const client = made.at(-1)!;
    expect(client.config).toMatchObject({
      sessionTimeout,
      rebalanceTimeout: Math.max(10_000, sessionTimeout),
    });
    client.join(`first of ${count}`);
    client.join(`first of ${count}`);
    expect(assigned.splice(0)).toEqual([2, 2]);
    client.join(`second of ${count}`);
    if (sessionTimeout === 48_000) break;
    await until(() => made.length > count, { what: "another client is made" });
    // Between the two it has no partitions.
    expect(assigned.splice(0)).toEqual([0]);
  }
  expect(assigned).toEqual([2]);
  expect(made).toHaveLength(4);
  expect(lines).toEqual([
    [warn, 12],
    [warn, 24],
    [warn, 48],
  ]);
});

test("a member that its group did not miss for ten minutes has half the time again, down to what it began with", async () => {
  const { made, kafka } = clients();
  const { lines, logger } = said();
  let now = 0;
  const sink = { assigned: () => undefined, records: () => undefined };
  const group = joinGroup(kafka, "group", "topic", sink, logger, () => now);
  onTestFinished(() => group.leave());
  const next = async (count: number) => {
    await until(() => made.length === count && made[count - 1]!.running, { what: "a client runs" });
    return made[count - 1]!;
  };
  const first = await next(1);
  first.join("a");
  now += 700_000;
  first.beat();
  first.join("b");
  // It is on its way out, and has not been quiet since.
  first.beat();
  const second = await next(2);
  second.join("c");
  now += 300_000;
  // Others come and go.
  second.join("c");
  now += 299_999;
  second.beat();
  expect(lines.splice(0)).toEqual([[warn, 12]]);
  now += 1;
  second.beat();
  second.beat();
  const third = await next(3);
  third.join("d");
  now += 700_000;
  third.beat();
  expect(made.map(({ config }) => config.sessionTimeout)).toEqual([6_000, 12_000, 6_000]);
  expect(lines).toEqual([[info, 6]]);
});
