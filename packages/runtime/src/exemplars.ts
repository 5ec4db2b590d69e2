import { Histogram, type HistogramConfiguration } from "prom-client";

/** The last traced value that fell into a bucket. */
type Exemplar = { readonly traceId: string; readonly value: number; readonly atSeconds: number };
type Labels = Readonly<Record<string, string>>;

/** By the name of the histogram, its labels, and the upper bound of the bucket as it is printed. Empty where nothing is traced. */
const kept = new Map<string, Map<string, Map<string, Exemplar>>>();

export type TracedSeries = {
  /** With the `traceparent` of what took so long, where its trace is told to anybody; only a sampled one is kept. */
  observe(value: number, traceparent?: string): void;
};

/** A histogram of which OpenMetrics names a trace for each bucket. A value without one costs nothing more than in any other. */
export function tracedHistogram<Label extends string>(
  options: HistogramConfiguration<Label> & { readonly buckets: number[] },
): { labels(labels: Record<Label, string>): TracedSeries } {
  const histogram = new Histogram(options);
  return {
    labels(labels) {
      const bound = histogram.labels(labels);
      let own: Map<string, Exemplar> | undefined;
      return {
        observe(value, traceparent) {
          bound.observe(value);
          if (traceparent === undefined || !isSampled(traceparent)) return;
          own ??= exemplarsOf(options.name, keyOf(labels));
          const le = options.buckets.find((most) => value <= most) ?? "+Inf";
          const traceId = traceparent.slice(3, 35);
          own.set(String(le), { traceId, value, atSeconds: Date.now() / 1_000 });
        },
      };
    },
  };
}

/** The lowest bit of the last byte (W3C Trace Context, section 3.2.2.5). */
const isSampled = (traceparent: string): boolean =>
  (Number.parseInt(traceparent.at(-1)!, 16) & 1) === 1;

function exemplarsOf(name: string, key: string): Map<string, Exemplar> {
  let series = kept.get(name);
  if (series === undefined) kept.set(name, (series = new Map()));
  let own = series.get(key);
  if (own === undefined) series.set(key, (own = new Map()));
  return own;
}

/** The same for the same labels, in whatever order they are given. */
const keyOf = (labels: Labels): string =>
  JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1)));

const bucketLine = /^(\w+)_bucket\{(.*)\} [\d.e+]+$/;
const label = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** What stands behind a line of a bucket in OpenMetrics; empty where there is nothing. */
export function exemplarOf(line: string): string {
  if (kept.size === 0) return "";
  const [, name = "", text = ""] = bucketLine.exec(line) ?? [];
  const series = kept.get(name);
  if (series === undefined) return "";
  const { le = "", ...labels } = Object.fromEntries(
    [...text.matchAll(label)].map(([, key, value]) => [key!, unescaped(value!)]),
  );
  const found = series.get(keyOf(labels))?.get(le);
  if (found === undefined) return "";
  return ` # {trace_id="${found.traceId}"} ${found.value} ${found.atSeconds.toFixed(3)}`;
}
const unescaped = (text: string): string =>
  text.replaceAll(/\\(.)/g, (_all, char: string) => (char === "n" ? "\n" : char));
