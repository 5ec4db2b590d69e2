import { ExportResultCode, type ExportResult } from "@opentelemetry/core";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { beforeEach, expect, test } from "vitest";
import { spanQueue } from "../src/queue.ts";
import { spansTold } from "../src/told.ts";

const span = {} as ReadableSpan;
const limits = { mostWaiting: 4, atOnce: 2, everyMs: 3_600_000 };
type Answer = (result: ExportResult) => void;

/** A collector that answers when the test says so. */
function exporter() {
  const asked: { readonly spans: number; readonly answer: Answer }[] = [];
  return {
    asked,
    export: (spans: ReadableSpan[], answer: Answer) => asked.push({ spans: spans.length, answer }),
    shutdown: async () => undefined,
  };
}
const counts = async () =>
  Object.fromEntries(
    (await spansTold.get()).values
      .filter(({ value }) => value > 0)
      .map(({ labels, value }) => [labels["outcome"], value]),
  );

beforeEach(() => spansTold.reset());

test("what the collector is too slow for is dropped and counted, and nobody waits", async () => {
  const collector = exporter();
  const queue = spanQueue(collector, limits);
  for (let index = 0; index < 9; index++) queue.onEnd(span);
  // Two are on their way, four wait, three found no room.
  expect(collector.asked.map(({ spans }) => spans)).toEqual([2]);
  expect(await counts()).toEqual({ dropped: 3 });
  const ended = queue.shutdown();
  for (let index = 0; index < 3; index++) {
    collector.asked[index]!.answer({ code: ExportResultCode.SUCCESS });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  expect(collector.asked.map(({ spans }) => spans)).toEqual([2, 2, 2]);
  expect(await counts()).toEqual({ dropped: 3, exported: 6 });
});

test("what the collector refuses is counted and not kept", async () => {
  const collector = exporter();
  const queue = spanQueue(collector, limits);
  queue.onEnd(span);
  queue.onEnd(span);
  collector.asked[0]!.answer({ code: ExportResultCode.FAILED, error: new Error("no") });
  await queue.shutdown();
  expect(collector.asked).toHaveLength(1);
  expect(await counts()).toEqual({ failed: 2 });
});
