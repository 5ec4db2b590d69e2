import { expect, test } from "vitest";
import { openTracing } from "../src/otlp.ts";

const theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/** Nobody listens there, and nothing is told before the end. */
const opened = (ratio: number) =>
  openTracing({ endpoint: "http://127.0.0.1:9", ratio, service: "test" });

test("what the ratio leaves out is not told, whatever the caller's flag says", async () => {
  const tracing = opened(0);
  const { traceparent } = tracing.request("POST /messages", theirs);
  expect(traceparent).toBe(theirs.replace(/01$/, "00"));
  expect(tracing.follow("client", "call", traceparent)).toBeUndefined();
  expect(tracing.request("POST /messages", undefined).traceparent).toBeUndefined();
  await tracing.stop();
});

test("what it takes is told with all that follows, in the caller's trace or one of its own", async () => {
  const tracing = opened(1);
  const inTheirs = tracing.request("POST /messages", theirs.replace(/01$/, "00")).traceparent!;
  expect(inTheirs).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)\w{16}-01$/);
  const follows = tracing.follow("client", "call", inTheirs)!.traceparent!;
  expect(follows.slice(0, 36)).toBe(inTheirs.slice(0, 36));
  expect(follows).not.toBe(inTheirs);
  const own = tracing.request("POST /messages", undefined).traceparent;
  expect(own).toMatch(/^00-(?!4bf92f35)\w{32}-\w{16}-01$/);
  await tracing.stop();
});
