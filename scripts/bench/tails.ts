import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openProduct, openSink, post, subscribe, withEnds } from "./floor-subjects.ts";
import { askable, openInspector, type Inspector } from "./inspector.ts";
import { headOf, requestedAndSent, type Sent } from "./messages.ts";
import { limitRow, type Row } from "./row.ts";
import { turnsOf, type Profile, type Turn } from "./turns.ts";

const warmUpMs = 8_000;
const restMs = 3_000;
const saturatedMs = 4_000;
/** Until what the profiler does at its start, some 70 ms, is over. */
const settleMs = 2_000;
const windowMs = 20_000;
const sampleMs = 20;
const slowest = 0.01;
const longTurnMs = 15;
/** Marking begins so long before a full collection ends, where two cores have other things to do. */
const markingMs = 300;
const mostShown = 12;

/**
 * What the slowest messages of half rate waited for: collections, turns of the main thread without a rest, and processors that others had, V8's own helpers among them. The profiler costs some 5 % itself.
 */
export async function benchTails(): Promise<Row[]> {
  return withEnds(async (ends) => {
    const sink = await openSink(ends);
    const product = await openProduct(ends, askable);
    await subscribe(product, `${sink.url}/hook`);
    await post(product, { durationMs: warmUpMs });
    await sleep(restMs);
    const { answers, seconds } = await post(product, { durationMs: saturatedMs });
    await sleep(restMs);
    const posting = post(product, {
      durationMs: settleMs + windowMs,
      rate: answers / seconds / 2,
    });
    const inspector = await openInspector(product);
    ends.push(async () => inspector.close());
    await begin(inspector);
    const began = Date.now();
    await sleep(settleMs);
    const head = await headOf(product.database);
    const threads = watchThreads(product.pid);
    await sleep(windowMs - 1_000);
    const samples = threads();
    const { profile } = await inspector.ask<{ profile: Profile }>("Profiler.stop");
    const collections = await inspector.evaluate<Collection[]>("globalThis.collections");
    await posting;
    await sleep(restMs);
    const sent = await requestedAndSent(product.database, head);
    const turns = turnsOf(profile, longTurnMs).map((turn) => ({
      ...turn,
      from: turn.from + began,
      to: turn.to + began,
    }));
    return rowsOf(sent, { turns, collections, samples });
  });
}

type Span = { readonly from: number; readonly to: number };
type Collection = Span & { readonly full: boolean };
/** What was used since the sample before, and what the main thread waited for a processor. */
type Sample = Span & { readonly waitedMs: number; readonly helpersMs: number };

async function begin({ ask, evaluate }: Inspector): Promise<void> {
  await evaluate(`(() => {
    const { performance, PerformanceObserver } = process.getBuiltinModule("perf_hooks");
    globalThis.collections = [];
    globalThis.observer = new PerformanceObserver((list) => {
      for (const { startTime, duration, detail } of list.getEntries())
        globalThis.collections.push({ from: performance.timeOrigin + startTime, to: performance.timeOrigin + startTime + duration, full: detail.kind === 4 });
    });
    globalThis.observer.observe({ entryTypes: ["gc"] });
    return 0;
  })()`);
  await ask("Profiler.enable");
  await ask("Profiler.setSamplingInterval", { interval: 500 });
  await ask("Profiler.start");
}

/** Samples what the kernel says of the threads of a process until it is asked for them. */
function watchThreads(pid: number): () => readonly Sample[] {
  const folder = `/proc/${pid}/task`;
  const read = (thread: string, file: string) =>
    readFileSync(`${folder}/${thread}/${file}`, "utf8");
  const helpers = readdirSync(folder).filter((id) => read(id, "comm").startsWith("V8Worker"));
  const now = () => ({
    at: Date.now(),
    waitedMs: Number(read(String(pid), "schedstat").split(" ")[1]) / 1e6,
    helpersMs:
      helpers.reduce((sum, id) => sum + Number(read(id, "schedstat").split(" ")[0]), 0) / 1e6,
  });
  const samples: Sample[] = [];
  let last = now();
  const timer = setInterval(() => {
    const next = now();
    samples.push({
      from: last.at,
      to: next.at,
      waitedMs: next.waitedMs - last.waitedMs,
      helpersMs: next.helpersMs - last.helpersMs,
    });
    last = next;
  }, sampleMs);
  return () => {
    clearInterval(timer);
    return samples;
  };
}

/** What the kernel and V8 told beside the messages. */
type Seen = {
  readonly turns: readonly Turn[];
  readonly collections: readonly Collection[];
  readonly samples: readonly Sample[];
};

const took = ({ requestedAt, sentAt }: Sent): number => sentAt - requestedAt;
const lengthOf = ({ from, to }: Span): number => to - from;
const during = <Part extends Span>(
  parts: readonly Part[],
  { requestedAt, sentAt }: Sent,
): readonly Part[] => parts.filter(({ from, to }) => from < sentAt && to > requestedAt);
const sum = (numbers: readonly number[]): number => numbers.reduce((one, other) => one + other, 0);

function rowsOf(all: readonly Sent[], { turns, collections, samples }: Seen): Row[] {
  printLongest(turns);
  const sorted = all.toSorted((one, other) => took(other) - took(one));
  const slow = sorted.slice(0, Math.ceil(sorted.length * slowest));
  const note = `of the slowest ${slow.length} of ${all.length}: ${took(slow.at(-1)!)} to ${took(slow[0]!)} ms; median of all ${took(sorted[sorted.length >> 1]!)} ms`;
  const row = (what: string, fits: (message: Sent) => boolean): Row =>
    limitRow(
      `tails: ${what}`,
      "%",
      Math.round((slow.filter(fits).length / slow.length) * 100),
      undefined,
      note,
    );
  const marking = collections.flatMap(({ full, from, to }) =>
    full ? [{ from: from - markingMs, to }] : [],
  );
  const young = collections.filter((each) => !each.full && lengthOf(each) >= 5);
  const share = (message: Sent, of: (sample: Sample) => number): number => {
    const parts = during(samples, message);
    return sum(parts.map(of)) / sum(parts.map(lengthOf));
  };
  return [
    row("while a full collection marks or ends", (each) => during(marking, each).length > 0),
    row("during a young collection of 5 ms or more", (each) => during(young, each).length > 0),
    row(`in a turn of ${longTurnMs} ms or more`, (each) => during(turns, each).length > 0),
    row(
      "the main thread waited for a processor for a third of the time",
      (each) => share(each, ({ waitedMs }) => waitedMs) > 1 / 3,
    ),
    row(
      "V8's helpers used half a processor",
      (each) => share(each, ({ helpersMs }) => helpersMs) > 1 / 2,
    ),
  ];
}

function printLongest(turns: readonly Turn[]): void {
  const longest = turns.toSorted((one, other) => lengthOf(other) - lengthOf(one));
  for (const turn of longest.slice(0, mostShown)) {
    const by = turn.by.slice(0, 5).map(([what, ms]) => `${what} ${ms.toFixed(1)}`);
    console.log(`a turn of ${Math.round(lengthOf(turn))} ms: ${by.join(", ")}`);
  }
}
