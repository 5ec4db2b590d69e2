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
  }[] = [];
  const kafka = {
    consumer(config: ConsumerConfig) {
      const listeners = new Map<string, (event: { payload: Joined }) => void>();
      const client = {
        config,
        running: false,
        events: { CRASH: "crash", GROUP_JOIN: "join" },
        on: (event: string, listener: (event: { payload: Joined }) => void) =>
          void listeners.set(event, listener),
        connect: async () => undefined,
        subscribe: async () => undefined,
        run: async () => void (client.running = true),
        disconnect: async () => void (client.running = false),
        resume: () => undefined,
        join: (memberId: string) =>
          listeners.get("join")!({ payload: { memberId, memberAssignment: { topic: [0, 1] } } }),
      };
      made.push(client);
      return client;
    },
  };
  return { made, kafka: kafka as unknown as Kafka };
}

test("a member that was taken for dead has more time from then on, up to a bound; one that only shares anew goes on as it is", async () => {
  const { made, kafka } = clients();
  const assigned: number[] = [];
  const sink = {
    assigned: (partitions: ReadonlySet<number>) => void assigned.push(partitions.size),
    records: () => undefined,
  };
  const group = joinGroup(kafka, "group", "topic", sink, pino({ level: "silent" }));
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
});
