import type { ConsumerStatus, RunningConsumers } from "@heliograph/runtime";
import { expect, onTestFinished, test } from "vitest";
import { serveHealth, untilReady, waitingFor } from "../src/index.ts";

/** Consumers that do nothing, of which only what they show of themselves is looked at. */
function showing(...states: readonly Partial<ConsumerStatus>[]): {
  readonly running: readonly RunningConsumers[];
  readonly statuses: Partial<ConsumerStatus>[];
} {
  const statuses = states.map((state, index) => ({
    environment: "live",
    name: `consumer-${index}`,
    lastErrorPasses: true,
    ...state,
  }));
  return { running: [{ statuses, stop: async () => undefined } as never], statuses };
}
const says = (lines: unknown[], then: () => void = () => undefined) => ({
  warn(line: unknown): void {
    lines.push(line);
    then();
  },
});

test("readiness names the consumers that neither run nor stand by, and what they do", async () => {
  const { running, statuses } = showing(
    { state: "running" },
    { state: "cut_off" },
    { state: "waiting" },
  );
  const health = await serveHealth("127.0.0.1", 0, running);
  onTestFinished(() => health.stop());
  const ask = async (): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${health.port}/readyz`);
    return { status: answer.status, body: await answer.json() };
  };
  expect(await ask()).toEqual({
    status: 503,
    body: { status: "not_ready", waiting_for: ["live/consumer-1: cut_off"] },
  });
  statuses[1]!.state = "running";
  expect(await ask()).toEqual({ status: 200, body: { status: "ready" } });
});

test("a start waits on for what passes by itself, and says for what it waits", async () => {
  const { running, statuses } = showing({ state: "running" }, { state: "backing_off" });
  const lines: unknown[] = [];
  const logger = says(
    lines,
    () => (statuses[1]!.state = lines.length < 3 ? "starting" : "running"),
  );
  await untilReady(running, logger, 1);
  expect(lines).toEqual([
    { waiting_for: ["live/consumer-1: backing_off"] },
    { waiting_for: ["live/consumer-1: starting"] },
    { waiting_for: ["live/consumer-1: starting"] },
  ]);
  expect(waitingFor(running)).toEqual([]);
});

test("a start waits for a consumer that is rebuilt, whatever it failed with before", async () => {
  const { running, statuses } = showing({
    state: "rebuilding",
    lastErrorPasses: false,
    lastError: "the tables belong to a newer release",
  });
  const lines: unknown[] = [];
  await untilReady(
    running,
    says(lines, () => (statuses[0]!.state = "running")),
    1,
  );
  expect(lines).toEqual([{ waiting_for: ["live/consumer-0: rebuilding"] }]);
});

test("a start ends where a consumer fails with what waiting does not mend", async () => {
  const broken = { lastErrorPasses: false, lastError: "the tables belong to a newer release" };
  const { running } = showing(
    { state: "backing_off", lastError: "the database is away" },
    { state: "backing_off", ...broken },
    // What failed once, and runs by now, is no reason.
    { state: "running", ...broken },
  );
  await expect(untilReady(running, says([]), 1)).rejects.toThrow(
    "not ready after 0.001 s: live/consumer-1: the tables belong to a newer release",
  );
});
