/** Settings come from `HELIOGRAPH_*` variables; a bad value stops the start with one clear line. Documented in `docs/operating/settings.md`. */
export type Settings = {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly log: "postgres" | "eventstoredb";
  readonly eventstoreUrl: string | undefined;
  readonly feed: "log" | "kafka";
  /** Without brokers there are neither a Kafka feed nor public topics. */
  readonly kafka: KafkaSettings | undefined;
  readonly services: readonly string[];
  readonly retryScale: number;
  readonly webhookAllowCidrs: readonly string[];
  readonly smtpUrls: readonly string[];
  readonly logGatewayChannels: readonly string[];
  readonly masterKey: string | undefined;
  /** Whether `npm start` makes the demo partner. */
  readonly demo: boolean;
  readonly logLevel: string;
  readonly trustProxy: string | undefined;
  readonly shutdownMs: number;
  /** How long a start waits for a database or a log that is away. */
  readonly startWaitMs: number;
};

export type KafkaSettings = {
  readonly brokers: readonly string[];
  readonly tls: boolean;
  /** PEM file of the authority that signed the brokers' certificates, when it is not a public one. */
  readonly caFile: string | undefined;
  readonly sasl:
    | {
        readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        readonly username: string;
        readonly password: string;
      }
    | undefined;
  /** Shards of each environment: partitions of the log topic at its creation, and the most copies of a service that share its work. */
  readonly shards: number;
  /** Copies of the topics' records the brokers keep. */
  readonly replication: number;
  /** Partners who get topics of their own, `heliograph.<env>.partner.<id>.<topic>`. */
  readonly partnerTopics: readonly string[];
};

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

export const serviceNames = [
  "ingress",
  "wallet",
  "dispatch",
  "delivery",
  "lifecycle",
  "webhooks",
] as const;

type Environment = Readonly<Record<string, string | undefined>>;

function number(
  env: Environment,
  name: string,
  fallback: number,
  low: number,
  high: number,
): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < low || value > high)
    throw new SettingsError(`${name}: "${text}" is not a number from ${low} to ${high}`);
  return value;
}

function oneOf<Allowed extends string>(
  env: Environment,
  name: string,
  allowed: readonly [Allowed, ...Allowed[]],
): Allowed {
  const text = env[name];
  if (text === undefined || text === "") return allowed[0];
  const found = allowed.find((item) => item === text);
  if (found === undefined)
    throw new SettingsError(`${name}: "${text}" is none of ${allowed.join(", ")}`);
  return found;
}

const list = (text: string | undefined): string[] =>
  (text ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

function url(env: Environment, name: string, protocols: readonly string[]): string | undefined {
  const text = env[name];
  if (text === undefined || text === "") return undefined;
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol))
    throw new SettingsError(
      `${name}: not a URL that begins with ${protocols.map((item) => `${item}//`).join(" or ")}`,
    );
  // Names and passwords stand in a URL percent-encoded; one that cannot be decoded would be found out late, or taken as it is.
  const { username, password, pathname } = new URL(text);
  for (const part of [username, password, pathname])
    try {
      decodeURIComponent(part);
    } catch {
      throw new SettingsError(`${name}: a % in the user, password or name must be written as %25`);
    }
  return text;
}

function readKafka(env: Environment): KafkaSettings | undefined {
  const brokers = list(env["HELIOGRAPH_KAFKA_BROKERS"]);
  for (const broker of brokers)
    if (!/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/.test(broker))
      throw new SettingsError(`HELIOGRAPH_KAFKA_BROKERS: "${broker}" is not host:port`);
  const username = env["HELIOGRAPH_KAFKA_USERNAME"] || undefined;
  const password = env["HELIOGRAPH_KAFKA_PASSWORD"] || undefined;
  if ((username === undefined) !== (password === undefined))
    throw new SettingsError(
      "HELIOGRAPH_KAFKA_USERNAME and HELIOGRAPH_KAFKA_PASSWORD: set both or neither",
    );
  const mechanism = oneOf(env, "HELIOGRAPH_KAFKA_SASL", [
    "scram-sha-512",
    "scram-sha-256",
    "plain",
  ]);
  const caFile = env["HELIOGRAPH_KAFKA_CA_FILE"] || undefined;
  const tls = oneOf(env, "HELIOGRAPH_KAFKA_TLS", ["off", "on"]) === "on" || caFile !== undefined;
  const shards = number(env, "HELIOGRAPH_KAFKA_SHARDS", 8, 1, 1024);
  const replication = number(env, "HELIOGRAPH_KAFKA_REPLICATION", 1, 1, 7);
  for (const [name, value] of [
    ["HELIOGRAPH_KAFKA_SHARDS", shards],
    ["HELIOGRAPH_KAFKA_REPLICATION", replication],
  ] as const)
    if (!Number.isInteger(value)) throw new SettingsError(`${name}: "${value}" is not whole`);
  const partnerTopics = list(env["HELIOGRAPH_KAFKA_PARTNER_TOPICS"]);
  for (const partner of partnerTopics)
    if (!/^ptn_[0-9A-HJKMNP-TV-Z]{26}$/.test(partner))
      throw new SettingsError(
        `HELIOGRAPH_KAFKA_PARTNER_TOPICS: "${partner}" is not a partner's id, ptn_…`,
      );
  if (brokers.length === 0) return undefined;
  return {
    brokers,
    tls,
    caFile,
    sasl:
      username === undefined || password === undefined
        ? undefined
        : { mechanism, username, password },
    shards,
    replication,
    partnerTopics,
  };
}

const cidr = /^(\d{1,3}(\.\d{1,3}){3}\/\d{1,2}|[0-9a-fA-F:.]+\/\d{1,3})$/;

/** Reads and checks every setting. Throws SettingsError with one line that names the variable. */
export function readSettings(env: Environment = process.env): Settings {
  const log = oneOf(env, "HELIOGRAPH_LOG", ["postgres", "eventstoredb"]);
  const eventstoreUrl = url(env, "HELIOGRAPH_EVENTSTORE_URL", ["esdb:", "esdb+discover:"]);
  if (log === "eventstoredb" && eventstoreUrl === undefined)
    throw new SettingsError(
      "HELIOGRAPH_EVENTSTORE_URL: HELIOGRAPH_LOG=eventstoredb needs the cluster's connection string",
    );
  const feed = oneOf(env, "HELIOGRAPH_FEED", ["log", "kafka"]);
  const kafka = readKafka(env);
  if (feed === "kafka" && kafka === undefined)
    throw new SettingsError(
      "HELIOGRAPH_KAFKA_BROKERS: HELIOGRAPH_FEED=kafka needs a comma-separated list of host:port",
    );
  const services = list(env["HELIOGRAPH_SERVICES"]);
  for (const name of services)
    if (!(serviceNames as readonly string[]).includes(name))
      throw new SettingsError(
        `HELIOGRAPH_SERVICES: "${name}" is none of ${serviceNames.join(", ")}`,
      );
  const webhookAllowCidrs = list(env["HELIOGRAPH_WEBHOOK_ALLOW_CIDRS"]);
  for (const item of webhookAllowCidrs)
    if (!cidr.test(item))
      throw new SettingsError(
        `HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "${item}" is not a CIDR such as 127.0.0.0/8`,
      );
  const logGatewayChannels = list(env["HELIOGRAPH_LOG_GATEWAY_CHANNELS"]);
  for (const item of logGatewayChannels)
    if (!["sms", "whatsapp", "email"].includes(item))
      throw new SettingsError(
        `HELIOGRAPH_LOG_GATEWAY_CHANNELS: "${item}" is none of sms, whatsapp, email`,
      );
  const smtpUrls = list(env["HELIOGRAPH_SMTP_URL"]);
  for (const item of smtpUrls)
    if (!URL.canParse(item) || !["smtp:", "smtps:"].includes(new URL(item).protocol))
      throw new SettingsError(
        "HELIOGRAPH_SMTP_URL: not a comma-separated list of smtp:// or smtps:// URLs",
      );
  const logLevel = env["HELIOGRAPH_LOG_LEVEL"] || "info";
  if (!["trace", "debug", "info", "warn", "error", "silent"].includes(logLevel))
    throw new SettingsError(
      `HELIOGRAPH_LOG_LEVEL: "${logLevel}" is none of trace, debug, info, warn, error, silent`,
    );
  const masterKey = env["HELIOGRAPH_MASTER_KEY"] || undefined;
  if (masterKey !== undefined && !/^[0-9a-f]{64}$/i.test(masterKey))
    throw new SettingsError("HELIOGRAPH_MASTER_KEY: must be 64 hexadecimal digits (32 bytes)");
  const databaseUrl = url(env, "HELIOGRAPH_DATABASE_URL", ["postgres:", "postgresql:"]);
  return {
    port: number(env, "HELIOGRAPH_PORT", 8080, 0, 65_535),
    host: env["HELIOGRAPH_HOST"] || "127.0.0.1",
    dataDir: env["HELIOGRAPH_DATA_DIR"] || ".heliograph",
    databaseUrl,
    // A partner with funds and known keys has no place in a database that somebody has set up for work.
    demo:
      oneOf(env, "HELIOGRAPH_DEMO", [databaseUrl === undefined ? "on" : "off", "on", "off"]) ===
      "on",
    log,
    eventstoreUrl,
    feed,
    kafka,
    services: services.length > 0 ? services : serviceNames,
    retryScale: number(env, "HELIOGRAPH_RETRY_SCALE", 1, 0, 1000),
    webhookAllowCidrs,
    smtpUrls,
    logGatewayChannels,
    masterKey,
    logLevel,
    trustProxy: env["HELIOGRAPH_TRUST_PROXY"] || undefined,
    shutdownMs: number(env, "HELIOGRAPH_SHUTDOWN_SECONDS", 20, 1, 600) * 1000,
    startWaitMs: number(env, "HELIOGRAPH_START_WAIT_SECONDS", 600, 0, 86_400) * 1000,
  };
}
