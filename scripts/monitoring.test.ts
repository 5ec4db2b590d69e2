import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  apiClient,
  newDataDir,
  programMissing,
  removeDataDir,
  startInstance,
  until,
  webhookSink,
  type ApiClient,
  type Instance,
  type WebhookSink,
} from "@heliograph/testkit";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  test,
  type TestContext,
} from "vitest";
import { parse } from "yaml";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
};
type Panel = {
  readonly id: number;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
};
const { groups } = parse(read("infra/monitoring/alerts.yaml")) as {
  groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const { panels } = JSON.parse(read("infra/monitoring/dashboard.json")) as {
  panels: readonly Panel[];
};

/** The names of metrics in an expression: what is left when selectors, groupings, ranges, numbers, functions and operators are gone. */
function metricsIn(expr: string): readonly string[] {
  const bare = expr
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "")
    .replaceAll(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, "");
  const words = [...bare.matchAll(/(?<![\w.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])/g)].map(
    ([word]) => word,
  );
  return words.filter((word) => !/^(and|or|unless|sum|max|min|count|avg|topk|bool)$/.test(word));
}

/** Values of one labelled line each, by its text without the value. */
const samplesOf = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
  );

let dataDir: string;
let instance: Instance;
let sink: WebhookSink;
let sandbox: ApiClient;
const metrics = async (): Promise<string> => (await fetch(`${instance.baseUrl}/metrics`)).text();

beforeAll(async () => {
  dataDir = newDataDir();
  instance = await startInstance({
    dataDir,
    env: { HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" },
  });
  sandbox = apiClient(instance.baseUrl, instance.sandboxKey);
  sink = await webhookSink();
}, 90_000);
afterAll(async () => {
  await sink?.close();
  await instance?.stop();
  await removeDataDir(dataDir);
});

describe("what is shown of a message that is delivered and told by webhook", () => {
  test("is counted by status, attempt, breaker and flush, each once", async () => {
    const made = await sandbox.post("/webhook-endpoints", { url: sink.url });
    expect(made.status).toBe(201);
    const sent = await sandbox.post("/messages", {
      channel: "sms",
      to: "+15551230001",
      text: "Hello",
    });
    expect(sent.status).toBe(202);
    const of = (status: string): string =>
      `heliograph_messages_total{environment="sandbox",channel="sms",status="${status}"}`;
    const delivered =
      'heliograph_webhook_attempts_total{environment="sandbox",outcome="delivered"}';
    const samples = await until(
      async () => {
        const found = samplesOf(await metrics());
        return found.get(of("delivered")) === 1 && found.get(delivered) === 3 && found;
      },
      { timeoutMs: 20_000, what: "the message and its webhooks are counted" },
    );
    expect([samples.get(of("accepted")), samples.get(of("sent"))]).toEqual([1, 1]);
    expect(samples.get('heliograph_webhook_attempt_seconds_count{environment="sandbox"}')).toBe(3);
    expect(samples.get('heliograph_gateway_breaker{environment="sandbox",gateway="sim-sms"}')).toBe(
      0,
    );
    expect(
      samples.get('heliograph_log_flush_events_sum{namespace="sandbox"}'),
    ).toBeGreaterThanOrEqual(3);
    expect(samples.has('heliograph_log_waiting_appends{namespace="live"}')).toBe(true);
    for (const place of ["memory", "table"])
      expect(
        samples.has(
          `heliograph_webhook_deliveries_waiting{environment="sandbox",place="${place}"}`,
        ),
      ).toBe(true);
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
  });
});

describe("what is built on the metrics", () => {
  /** Every metric with its type, as `/metrics` declares them. */
  const declared = async (): Promise<ReadonlyMap<string, string>> =>
    new Map(
      [...(await metrics()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [
        name!,
        type!,
      ]),
    );
  const seriesOf = (name: string, type: string): readonly string[] => {
    if (type === "histogram") return ["_bucket", "_sum", "_count"].map((part) => name + part);
    return type === "summary" ? [name, `${name}_sum`, `${name}_count`] : [name];
  };

  test("alerts and dashboard name metrics that exist, and nothing else", async () => {
    const series = new Set([...(await declared())].flatMap(([name, type]) => seriesOf(name, type)));
    const expressions = [
      ...rules.map(({ alert, expr }) => ({ at: alert, expr })),
      ...panels.flatMap(({ title, targets = [] }) =>
        targets.map(({ expr }) => ({ at: title, expr })),
      ),
    ];
    expect(expressions.length).toBeGreaterThan(40);
    for (const { at, expr } of expressions) {
      const names = metricsIn(expr);
      expect(names, at).not.toHaveLength(0);
      expect(
        names.filter((name) => !series.has(name)),
        at,
      ).toEqual([]);
    }
  });

  test("each alert says in words what is wrong, each panel has an id of its own", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { annotations } of rules) expect(annotations.summary).toMatch(/\w.*\.$/);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  test("the page explains every metric, and none that there is not", async () => {
    const page = read("docs/operating/monitoring.md");
    const explained = [...page.matchAll(/^\| `([\w:]+)` \|/gm)].map(([, name]) => name!);
    const all = await declared();
    expect(explained.filter((name) => !all.has(name))).toEqual([]);
    // Those of Node and the process are named by prom-client; the page explains the ones that are of use.
    const own = [...all.keys()].filter((name) => name.startsWith("heliograph_"));
    expect(own.filter((name) => !explained.includes(name))).toEqual([]);
  });
});

describe("promtool, the program of Prometheus that checks,", () => {
  const program = "promtool";
  const promtool = (context: TestContext, args: readonly string[], input = "") => {
    const missing = programMissing(program);
    context.skip(missing !== undefined, missing);
    const { status, stdout, stderr } = spawnSync(program, args, {
      input,
      encoding: "utf8",
    });
    return { status, said: `${stdout}${stderr}` };
  };
  const folder = new URL("../infra/monitoring/", import.meta.url).pathname;
  const scratch = (): string => {
    const made = mkdtempSync(join(tmpdir(), "heliograph-promtool-"));
    onTestFinished(() => rmSync(made, { recursive: true }));
    return made;
  };

  test("takes the configuration of docs/operating/monitoring.md with the rules", (context) => {
    const [, yaml] = /```yaml\n(# prometheus\.yml\n.*?)```/s.exec(
      read("docs/operating/monitoring.md"),
    )!;
    const place = scratch();
    writeFileSync(join(place, "alerts.yaml"), read("infra/monitoring/alerts.yaml"));
    writeFileSync(join(place, "prometheus.yml"), yaml!);
    const { status, said } = promtool(context, ["check", "config", join(place, "prometheus.yml")]);
    expect({ status, said }).toEqual({
      status: 0,
      said: expect.stringContaining(`${rules.length} rules found`),
    });
  });

  test("sees each alert fire where it should, and none while all is well", (context) => {
    const tests = read("infra/monitoring/alerts.test.yaml");
    for (const { alert } of rules)
      expect(tests.split(`alertname: ${alert}`).length, alert).toBeGreaterThan(2);
    const tested = promtool(context, ["test", "rules", join(folder, "alerts.test.yaml")]);
    expect(tested).toMatchObject({ status: 0 });
  });

  test("has nothing to say of the metrics", async (context) => {
    expect(promtool(context, ["check", "metrics"], await metrics())).toEqual({
      status: 0,
      said: "",
    });
  });

  test("reads them as OpenMetrics too", async (context) => {
    const headers = { accept: "application/openmetrics-text;version=1.0.0" };
    const answer = await fetch(`${instance.baseUrl}/metrics`, { headers });
    expect(answer.headers.get("content-type")).toMatch(/^application\/openmetrics-text; version=1/);
    const place = scratch();
    // What is read into a store needs times; a scrape has that of its own.
    const timed = (await answer.text()).replaceAll(/^([^#\n]\S*(?: [^ \n]+)?)$/gm, "$1 1800000000");
    writeFileSync(join(place, "metrics"), timed);
    const create = ["tsdb", "create-blocks-from", "openmetrics", join(place, "metrics"), place];
    expect(promtool(context, create)).toMatchObject({ status: 0 });
  });
});

test("names of metrics are told from everything else in an expression", () => {
  expect(
    metricsIn(
      'histogram_quantile(0.95, sum by (le, a) (rate(x_bucket{b="c"}[5m]))) > 1e3 unless max(y:z) and on (q) w',
    ),
  ).toEqual(["x_bucket", "y:z", "w"]);
});
