import cluster from "node:cluster";
import { AggregatorRegistry, collectDefaultMetrics, Gauge, register } from "prom-client";
import { openMetricsType, prefersOpenMetrics, toOpenMetrics } from "./open-metrics.ts";

export { register as metricsRegister };

let collecting = false;

/** prom-client's sums of what it also shows by type. They go up and down, and are called what only counters are. */
const misnamed = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);

/** How often the event loop is looked at for how late it is: each look wakes the process, and prom-client's, every 10 ms, were nine in ten of what wakes an idle one. */
const lookEveryMs = 100;
/** What they measure is the time between two looks. */
const betweenLooks = ["min", "max", "mean", "p50", "p90", "p99"].map(
  (which) => `nodejs_eventloop_lag_${which}_seconds`,
);

/** How late it was, of the time from one look to the next; 0 where nobody has looked since it was last asked. */
function lateness(seconds: number): number {
  const late = seconds - lookEveryMs / 1_000;
  // The least of nothing is the largest number there is.
  return late > 0 && late < 1e9 ? late : 0;
}

function sayLateness(gauge: Gauge): void {
  function set(labels: object, seconds: number): void {
    Reflect.apply(Gauge.prototype.set, gauge, [labels, lateness(seconds)]);
  }
  Object.assign(gauge, { set });
}

/** Processor time, memory, event loop and garbage collection of this process, under the names that prom-client gives them. A second call changes nothing. */
export function collectProcessMetrics(): void {
  if (collecting) return;
  collecting = true;
  collectDefaultMetrics({ eventLoopMonitoringPrecision: lookEveryMs });
  for (const name of betweenLooks) sayLateness(register.getSingleMetric(name) as Gauge);
  for (const name of misnamed) register.removeSingleMetric(name);
}

type Asked = { readonly heliograph: "metrics"; readonly number: number };
type Told = Asked & { readonly text?: string };
const concernsMetrics = (message: unknown): message is Told =>
  (message as Partial<Told> | null)?.heliograph === "metrics";

/** prom-client waits five seconds for the workers. */
const answerMs = 6_000;
let asked = 0;

/**
 * The metrics of this process in the format that `accept` prefers, the text format of Prometheus or OpenMetrics; in one of several workers behind one port, those of all of them together, since nobody can say whom the next scrape
 * reaches. Rejects where a worker does not answer within some seconds.
 */
export async function metricsAnswer(
  accept: string | undefined,
): Promise<{ readonly type: string; readonly body: string }> {
  const text = await (cluster.isWorker ? metricsOfAll() : register.metrics());
  return prefersOpenMetrics(accept)
    ? { type: openMetricsType, body: toOpenMetrics(text) }
    : { type: register.contentType, body: text };
}

if (cluster.isWorker) new AggregatorRegistry();

function metricsOfAll(): Promise<string> {
  const question: Asked = { heliograph: "metrics", number: ++asked };
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      process.off("message", take);
    };
    const refuse = (why: string): void => {
      end();
      reject(new Error(`the workers' metrics: ${why}`));
    };
    const take = (message: unknown): void => {
      if (!concernsMetrics(message) || message.number !== question.number) return;
      if (message.text === undefined) return refuse("one did not answer");
      end();
      resolve(message.text);
    };
    const timer = setTimeout(() => refuse("no answer in time"), answerMs);
    process.on("message", take);
    process.send!(question, (error: Error | null) => error && refuse(error.message));
  });
}

/** In the process that has the workers: tells each, when it asks, what all of them have counted. */
export function tellWorkersMetrics(): void {
  const all = new AggregatorRegistry();
  cluster.on("message", (worker, message: unknown) => {
    if (!concernsMetrics(message)) return;
    const tell = (text?: string): void => {
      const { heliograph, number } = message;
      // One that has ended meanwhile does not ask any more.
      if (worker.isConnected())
        worker.send({ heliograph, number, ...(text !== undefined && { text }) }, () => undefined);
    };
    all.clusterMetrics().then(tell, () => tell());
  });
}
