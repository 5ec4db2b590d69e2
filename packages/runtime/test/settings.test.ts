import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readSettings, settingNotes } from "../src/index.ts";

test("a wrong value of any kind is one line that names the variable", () => {
  const wrong = {
    HELIOGRAPH_PORT: ["http", "65536", "-1", "80.5", "0x50", "8e3", " 80"],
    HELIOGRAPH_DATABASE_URL: ["localhost", "mysql://h/x", "postgres://u:p%@h/x"],
    HELIOGRAPH_EVENTSTORE_URL: ["http://h"],
    HELIOGRAPH_MASTER_KEY: ["0".repeat(63), "g".repeat(64)],
    HELIOGRAPH_DEMO: ["yes"],
    HELIOGRAPH_LOG: ["mysql", "eventstoredb"],
    HELIOGRAPH_FEED: ["nats"],
    HELIOGRAPH_KAFKA_BROKERS: ["broker", "broker:9092,other"],
    HELIOGRAPH_KAFKA_SHARDS: ["0", "1.5", "1025"],
    HELIOGRAPH_KAFKA_REPLICATION: ["8"],
    HELIOGRAPH_KAFKA_PARTNER_TOPICS: ["ptn_1"],
    HELIOGRAPH_KAFKA_TLS: ["true"],
    HELIOGRAPH_KAFKA_CA_FILE: ["/none.pem"],
    HELIOGRAPH_KAFKA_SASL: ["gssapi"],
    HELIOGRAPH_KAFKA_USERNAME: ["alone"],
    HELIOGRAPH_SMTP_URL: ["mail.example.com", "smtp://one.example,http://two.example"],
    HELIOGRAPH_LOG_GATEWAY_CHANNELS: ["fax"],
    HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: [
      "localhost",
      "10.0.0.0",
      "999.0.0.0/8",
      "10.0.0.0/33",
      "::/129",
    ],
    HELIOGRAPH_RETRY_SCALE: ["fast", "1001", "Infinity"],
    HELIOGRAPH_TRUST_PROXY: ["true", "10.0.0.0/40", "proxy.example"],
    HELIOGRAPH_LOG_LEVEL: ["loud"],
    HELIOGRAPH_SHUTDOWN_SECONDS: ["0", "601"],
    HELIOGRAPH_START_WAIT_SECONDS: ["-1"],
  };
  for (const [name, values] of Object.entries(wrong))
    for (const value of values)
      expect(() => readSettings({ [name]: value }), `${name}=${value}`).toThrow(
        name === "HELIOGRAPH_LOG" && value === "eventstoredb"
          ? /^HELIOGRAPH_EVENTSTORE_URL: /
          : new RegExp(`^${name}[^\\n]*$`),
      );
});

test("a URL that is refused is not repeated: it may hold a password", () => {
  for (const name of ["HELIOGRAPH_DATABASE_URL", "HELIOGRAPH_SMTP_URL"])
    expect(() => readSettings({ [name]: "http://me:secret@host/%zz" })).toThrow(
      /^[^:]+: (?!.*secret)/,
    );
});

test("what is not set, or empty, has the preset that the page shows", () => {
  const empty = Object.fromEntries([...settingNotes.keys()].map((name) => [name, ""]));
  expect(readSettings(empty)).toEqual(readSettings({}));
  expect(readSettings({})).toMatchObject({
    port: Number(settingNotes.get("HELIOGRAPH_PORT")!.preset),
    shutdownMs: Number(settingNotes.get("HELIOGRAPH_SHUTDOWN_SECONDS")!.preset) * 1000,
    startWaitMs: Number(settingNotes.get("HELIOGRAPH_START_WAIT_SECONDS")!.preset) * 1000,
    retryScale: Number(settingNotes.get("HELIOGRAPH_RETRY_SCALE")!.preset),
    demo: true,
    kafka: undefined,
    unknown: [],
  });
});

test("the collector of other programs is taken where it is one for us, and stops nothing where it is not", () => {
  const others = (env: Record<string, string>) =>
    readSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", ...env }).otlpEndpoint;
  expect(others({})).toMatch(/^http:\/\/collector:4318/);
  expect(others({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317" })).toBeUndefined();
  expect(others({ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })).toBeUndefined();
  expect(others({ OTEL_SDK_DISABLED: "true" })).toBeUndefined();
  expect(others({ OTEL_TRACES_EXPORTER: "none" })).toBeUndefined();
});

test("a slip in a name is refused with the name that was meant, another name is only told", () => {
  for (const [slip, meant] of [
    ["HELIOGRAPH_DATABSE_URL", "HELIOGRAPH_DATABASE_URL"],
    ["HELIOGRAPH_PROT", "HELIOGRAPH_PORT"],
    ["HELIOGRAPH_SMTP_URLS", "HELIOGRAPH_SMTP_URL"],
    ["HELIOGRAPH_KAFKA_BROKER", "HELIOGRAPH_KAFKA_BROKERS"],
  ])
    expect(() => readSettings({ [slip!]: "x" })).toThrow(
      `${slip} is no setting; did you mean ${meant}?`,
    );
  const far = { HELIOGRAPH_SERVICE_HOST: "10.0.0.1", HELIOGRAPH_DB_URL: "x", OTHER: "x" };
  expect(readSettings(far).unknown).toEqual([
    expect.stringMatching(/^HELIOGRAPH_SERVICE_HOST is no setting; did you mean /),
    expect.stringMatching(/^HELIOGRAPH_DB_URL is no setting; did you mean /),
  ]);
  for (const name of settingNotes.keys())
    if (settingNotes.get(name)!.forTests) expect(readSettings({ [name]: "x" }).unknown).toEqual([]);
});

test("the services that may run are those that the host has", () => {
  const host = ["wallet", "console"];
  expect(readSettings({}, host).services).toEqual(host);
  expect(readSettings({ HELIOGRAPH_SERVICES: "console" }, host).services).toEqual(["console"]);
  expect(() => readSettings({ HELIOGRAPH_SERVICES: "ingress" }, host)).toThrow(
    'HELIOGRAPH_SERVICES: "ingress" is none of wallet, console',
  );
  expect(readSettings({ HELIOGRAPH_SERVICES: "ingress" }).services).toEqual(["ingress"]);
});

test("secrets that everybody knows start nothing that others reach, and are not repeated", () => {
  const sound = "6f1d0c8be7a5924430fb61d99e28c3750ab4172e8f5ad6037cc1e94b268d50f3";
  const sequence = Buffer.from(Array.from({ length: 32 }, (_, index) => 7 + 3 * index)).toString(
    "hex",
  );
  const elsewhere = [
    { HELIOGRAPH_HOST: "0.0.0.0" },
    { HELIOGRAPH_HOST: "::" },
    { HELIOGRAPH_PUBLIC_URL: "https://api.example.com" },
    { HELIOGRAPH_DATABASE_URL: "postgres://h:9fJq@db.internal:5432/x" },
    { HELIOGRAPH_KAFKA_BROKERS: "127.0.0.1:9092,broker:9092" },
  ];
  const weak: readonly (readonly [string, Record<string, string>])[] = [
    ["HELIOGRAPH_MASTER_KEY", { HELIOGRAPH_MASTER_KEY: "0".repeat(64) }],
    ["HELIOGRAPH_MASTER_KEY", { HELIOGRAPH_MASTER_KEY: "0123456789abcdef".repeat(4) }],
    ["HELIOGRAPH_MASTER_KEY", { HELIOGRAPH_MASTER_KEY: sequence }],
    ["HELIOGRAPH_DATABASE_URL", { HELIOGRAPH_DATABASE_URL: "postgres://u:P%6Fstgres@127.0.0.1/x" }],
    [
      "HELIOGRAPH_EVENTSTORE_URL",
      { HELIOGRAPH_EVENTSTORE_URL: "esdb://admin:changeit@localhost:2113" },
    ],
    [
      "HELIOGRAPH_ATTACHMENTS_URL",
      { HELIOGRAPH_ATTACHMENTS_URL: "http://minioadmin:minioadmin@127.0.0.1:9000/b?region=r" },
    ],
    [
      "HELIOGRAPH_KAFKA_PASSWORD",
      {
        HELIOGRAPH_KAFKA_USERNAME: "u",
        HELIOGRAPH_KAFKA_PASSWORD: "secret",
        HELIOGRAPH_KAFKA_BROKERS: "127.0.0.1:9092",
      },
    ],
  ];
  for (const [name, env] of weak) {
    expect(readSettings(env)).toBeDefined();
    for (const reached of elsewhere) {
      if (Object.keys(reached).some((each) => each in env)) continue;
      const start = (): unknown => readSettings({ ...env, ...reached });
      expect(start, JSON.stringify({ ...env, ...reached })).toThrow(
        new RegExp(`^${name}: .*(guessed|everybody)`),
      );
      expect(start).not.toThrow(/P%6F|changeit|minioadmin|0123|0000|070a/);
    }
  }
  for (const reached of elsewhere)
    expect(readSettings({ HELIOGRAPH_MASTER_KEY: sound, ...reached })).toBeDefined();
  expect(() =>
    readSettings({
      HELIOGRAPH_EVENTSTORE_URL: "esdb://admin:changeit@a:2113,127.0.0.1:2113?tls=false",
    }),
  ).toThrow(/^HELIOGRAPH_EVENTSTORE_URL/);
});

test("secrets may stand in files that are named as settings are, and what the environment says wins", () => {
  const folder = mkdtempSync(join(tmpdir(), "credentials-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const read = (more = {}) => readSettings({ CREDENTIALS_DIRECTORY: folder, ...more });
  put("HELIOGRAPH_MASTER_KEY", `${"ab".repeat(32)}\n`);
  put("HELIOGRAPH_DATABASE_URL", "postgres://u:p@localhost/x");
  put("other", "not ours");
  expect(read()).toMatchObject({
    masterKey: "ab".repeat(32),
    databaseUrl: "postgres://u:p@localhost/x",
    unknown: [],
  });
  const given = {
    HELIOGRAPH_DATABASE_URL: "postgres://u:p@127.0.0.1/x",
    HELIOGRAPH_MASTER_KEY: "",
  };
  expect(read(given)).toMatchObject({
    databaseUrl: "postgres://u:p@127.0.0.1/x",
    masterKey: "ab".repeat(32),
  });
  put("HELIOGRAPH_MASTER_KEY", "short");
  expect(read).toThrow(/^HELIOGRAPH_MASTER_KEY: must be 64/);
  put("HELIOGRAPH_MASTER_KEY", "a".repeat(65_537));
  expect(read).toThrow(/^CREDENTIALS_DIRECTORY: .*longer than 65536 bytes/);
  expect(() => read({ CREDENTIALS_DIRECTORY: join(folder, "none") })).toThrow(
    /^CREDENTIALS_DIRECTORY: ENOENT/,
  );
});
