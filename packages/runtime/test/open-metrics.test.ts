import type { Gauge } from "prom-client";
import { expect, test } from "vitest";
import { tracedHistogram } from "../src/exemplars.ts";
import { collectProcessMetrics, metricsRegister } from "../src/index.ts";
import { prefersOpenMetrics, toOpenMetrics } from "../src/open-metrics.ts";

test.for([
  [undefined, false],
  ["*/*", false],
  ["text/plain", false],
  ["application/openmetrics-text", true],
  ["application/openmetrics-text;version=1.0.0;q=0.5, text/plain;version=0.0.4;q=0.3", true],
  ["text/plain;q=0.9,application/openmetrics-text;q=0.3", false],
  ["application/openmetrics-text;q=0", false],
  ["Application/OpenMetrics-Text; q=0.5,text/plain;q=0.5", true],
] as const)("who accepts %s is given OpenMetrics: %s", ([accept, isGiven]) => {
  expect(prefersOpenMetrics(accept)).toBe(isGiven);
});

test("counters are families without _total, and what is called otherwise is of no known type", () => {
  const text =
    "# HELP a_total A\n# TYPE a_total counter\na_total 1\n\n# HELP b B\n# TYPE b counter\nb 2\n";
  expect(toOpenMetrics(text)).toBe(
    "# HELP a A\n# TYPE a counter\na_total 1\n# HELP b B\n# TYPE b unknown\nb 2\n# EOF\n",
  );
});

test("the event loop's lag is how late it was, without the time between two looks", async () => {
  collectProcessMetrics();
  const p99 = metricsRegister.getSingleMetric("nodejs_eventloop_lag_p99_seconds") as Gauge;
  const shown: number[] = [];
  for (const seconds of [0.35, 0.09, 9_223_372_036.854, Number.NaN]) {
    p99.set({}, seconds);
    shown.push((await p99.get()).values[0]!.value);
  }
  expect(shown).toEqual([expect.closeTo(0.25), 0, 0, 0]);
});

test("a bucket names the last sampled trace that fell into it, whatever its labels hold", async () => {
  const histogram = tracedHistogram({
    name: "traced_seconds",
    help: "For this test",
    labelNames: ["a", "b"],
    buckets: [0.1, 1],
  });
  const series = histogram.labels({ b: 'quoted " and\nbroken \\', a: "x" });
  const trace = (digit: string, flags = "01"): string =>
    `00-${digit.repeat(32)}-${"1".repeat(16)}-${flags}`;
  series.observe(0.05, trace("a"));
  series.observe(0.06, trace("b"));
  series.observe(0.07, trace("c", "00"));
  series.observe(0.08);
  series.observe(5, trace("d"));
  const lines = toOpenMetrics(await metricsRegister.getSingleMetricAsString("traced_seconds"))
    .split("\n")
    .filter((line) => line.startsWith("traced_seconds"));
  const behind = lines.map((line) => / # .*$/.exec(line)?.[0].replace(/ [\d.]+$/, "") ?? "");
  const of = (digit: string, value: number): string =>
    ` # {trace_id="${digit.repeat(32)}"} ${value}`;
  expect(behind).toEqual([of("b", 0.06), "", of("d", 5), "", ""]);
});
