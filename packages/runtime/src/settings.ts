import { join } from "node:path";
import type { Environment as LogEnvironment } from "@heliograph/contracts";
import { z } from "zod";
import { withCredentials } from "./credentials.ts";
import { defaultSecretIn } from "./default-secrets.ts";
import { misspelt } from "./settings-names.ts";
import { settingsTable } from "./settings-table.ts";

/** Settings come from `HELIOGRAPH_*` variables; a bad value stops the start with one clear line. Each is defined in `settings-table.ts`, what depends on several here. */
export type Settings = {
  readonly port: number;
  readonly host: string;
  /** Where callers reach the API, without a slash at the end; undefined: where each request came to. */
  readonly publicUrl: string | undefined;
  /** Where the console reaches the REST API, without a slash at the end; undefined: in its own process. */
  readonly apiUrl: string | undefined;
  /** The one address of the public site, without a slash at the end; undefined: `publicUrl`. */
  readonly siteUrl: string | undefined;
  readonly dataDir: string;
  /** Where archived events are. */
  readonly archiveDir: string;
  readonly archiveDirIsPreset: boolean;
  readonly databaseUrl: string | undefined;
  /** S3-compatible storage; undefined: a folder in `dataDir`. */
  readonly attachmentsUrl: string | undefined;
  /** Of a partner in an environment. */
  readonly attachmentsQuotaBytes: number;
  /** How long those are kept that came with messages. */
  readonly attachmentsReceivedDays: number;
  readonly log: "postgres" | "eventstoredb";
  readonly eventstoreUrl: string | undefined;
  readonly feed: "log" | "kafka";
  /** Into how many shards what can be divided is; undefined where the feed decides it. */
  readonly shards: number | undefined;
  /** Without brokers there are neither a Kafka feed nor public topics. */
  readonly kafka: KafkaSettings | undefined;
  readonly services: readonly string[];
  /** Where rates are counted; undefined: what the process takes when nothing is said. */
  readonly limits: "memory" | "postgres" | undefined;
  /** How many processes share the limits while the database cannot count for them. */
  readonly limitsCopies: number;
  /** Processes behind the port of the REST API, where it runs alone. */
  readonly workers: number;
  readonly retryScale: number;
  /** After the end of a message's validity. */
  readonly holdGraceHours: number;
  readonly webhookAllowCidrs: readonly string[];
  readonly webhookPlainHttp: boolean;
  /** Undefined: connections are made straight. */
  readonly webhookProxy: string | undefined;
  /** After so long of nothing but failures an endpoint is disabled; Infinity for never. */
  readonly webhookDisableAfterMs: Readonly<Record<LogEnvironment, number>>;
  /** Infinity for ever. */
  readonly webhookKeepMs: number;
  readonly smtpUrls: readonly string[];
  /** Without it mail is written into the data folder. */
  readonly mailUrl: string | undefined;
  readonly mailFrom: string;
  /** Where mail of others is taken; undefined: nowhere. */
  readonly inboundSmtp: InboundSmtp | undefined;
  /** Where the team is told of requests for an evaluation. */
  readonly slackWebhookUrl: string | undefined;
  readonly business: BusinessCalendar;
  readonly logGatewayChannels: readonly string[];
  readonly masterKey: string | undefined;
  /** Whether `npm start` makes the demo partner. */
  readonly demo: boolean;
  /** Whether recipients and texts of all sends are sealed, not of replies alone. */
  readonly encryptMessages: boolean;
  readonly logLevel: string;
  /** Where spans are told; undefined: nowhere. */
  readonly otlpEndpoint: string | undefined;
  readonly traceRatio: number;
  readonly trustProxy: string | undefined;
  readonly shutdownMs: number;
  /** How long a start waits for a database or a log that is away. */
  readonly startWaitMs: number;
  /** Variables that begin with HELIOGRAPH_ and are none of ours, each as a line for a person. */
  readonly unknown: readonly string[];
};

export type InboundSmtp = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Without it mail comes unencrypted. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
};

/** When people answer. */
export type BusinessCalendar = {
  readonly zone: string;
  /** `mon`, `tue`, … */
  readonly days: readonly string[];
  /** Minutes of the zone's day. */
  readonly fromMinute: number;
  readonly toMinute: number;
  /** `2026-12-25`. */
  readonly holidays: readonly string[];
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

type Environment = Readonly<Record<string, string | undefined>>;
const tableSchema = z.object(settingsTable);
type Values = z.infer<typeof tableSchema>;

function credentialed(env: Environment): Environment {
  try {
    return withCredentials(env);
  } catch (error) {
    throw new SettingsError(`CREDENTIALS_DIRECTORY: ${(error as Error).message}`);
  }
}

/** Throws SettingsError with one line that names the variable. */
function valuesOf(env: Environment): Values {
  // An empty value is the same as none: compose files and unit files pass those on.
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const result = tableSchema.safeParse(set);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new SettingsError(`${String(path[0])}: ${message}`);
}

function kafkaOf(values: Values): KafkaSettings | undefined {
  const username = values.HELIOGRAPH_KAFKA_USERNAME;
  const password = values.HELIOGRAPH_KAFKA_PASSWORD;
  if ((username === undefined) !== (password === undefined))
    throw new SettingsError(
      "HELIOGRAPH_KAFKA_USERNAME and HELIOGRAPH_KAFKA_PASSWORD: set both or neither",
    );
  const mechanism = values.HELIOGRAPH_KAFKA_SASL;
  const caFile = values.HELIOGRAPH_KAFKA_CA_FILE;
  const brokers = values.HELIOGRAPH_KAFKA_BROKERS;
  if (brokers.length === 0) return undefined;
  return {
    brokers,
    tls: values.HELIOGRAPH_KAFKA_TLS === "on" || caFile !== undefined,
    caFile,
    sasl:
      username === undefined || password === undefined
        ? undefined
        : { mechanism, username, password },
    shards: values.HELIOGRAPH_KAFKA_SHARDS,
    replication: values.HELIOGRAPH_KAFKA_REPLICATION,
    partnerTopics: values.HELIOGRAPH_KAFKA_PARTNER_TOPICS,
  };
}

function inboundSmtpOf(values: Values): InboundSmtp | undefined {
  const certFile = values.HELIOGRAPH_INBOUND_SMTP_CERT_FILE;
  const keyFile = values.HELIOGRAPH_INBOUND_SMTP_KEY_FILE;
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new SettingsError(
      "HELIOGRAPH_INBOUND_SMTP_CERT_FILE and HELIOGRAPH_INBOUND_SMTP_KEY_FILE: set both or neither",
    );
  const where = values.HELIOGRAPH_INBOUND_SMTP;
  if (where === undefined) return undefined;
  const tls = certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
  return { ...where, tls };
}

const webhookSettings = (values: Values) => ({
  webhookAllowCidrs: values.HELIOGRAPH_WEBHOOK_ALLOW_CIDRS,
  webhookPlainHttp: values.HELIOGRAPH_WEBHOOK_PLAIN_HTTP === "on",
  webhookProxy: values.HELIOGRAPH_WEBHOOK_PROXY,
  webhookDisableAfterMs: {
    live: daysOrNever(values.HELIOGRAPH_WEBHOOK_DISABLE_DAYS_LIVE),
    sandbox: daysOrNever(values.HELIOGRAPH_WEBHOOK_DISABLE_DAYS_SANDBOX),
  },
  webhookKeepMs: daysOrNever(values.HELIOGRAPH_WEBHOOK_KEEP_DAYS),
});

function businessOf(values: Values): BusinessCalendar {
  const days = values.HELIOGRAPH_BUSINESS_DAYS;
  return {
    zone: values.HELIOGRAPH_BUSINESS_ZONE,
    days: days.length > 0 ? days : ["mon", "tue", "wed", "thu", "fri"],
    ...values.HELIOGRAPH_BUSINESS_HOURS,
    holidays: values.HELIOGRAPH_BUSINESS_HOLIDAYS,
  };
}

const daysOrNever = (days: number): number => (days === 0 ? Infinity : days * 24 * 3_600_000);

const tracesOf = (
  values: Values,
  env: Environment,
): Pick<Settings, "otlpEndpoint" | "traceRatio"> => ({
  otlpEndpoint: values.HELIOGRAPH_OTLP_ENDPOINT ?? endpointOfOthers(env),
  traceRatio: values.HELIOGRAPH_TRACE_RATIO,
});

/** The variables that every program with OpenTelemetry reads; a machine may have them for all of them, so what is not for us is passed over: another protocol than HTTP, or no traces at all. */
function endpointOfOthers(env: Environment): string | undefined {
  const isOff = env["OTEL_SDK_DISABLED"] === "true" || env["OTEL_TRACES_EXPORTER"] === "none";
  if (isOff || env["OTEL_EXPORTER_OTLP_PROTOCOL"] === "grpc") return undefined;
  const given = env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  return settingsTable.HELIOGRAPH_OTLP_ENDPOINT.safeParse(given || undefined).data;
}

function requireKnown(chosen: readonly string[], services: readonly string[]): void {
  const other = chosen.find((name) => !services.includes(name));
  if (other !== undefined)
    throw new SettingsError(`HELIOGRAPH_SERVICES: "${other}" is none of ${services.join(", ")}`);
}

/**
 * Reads and checks every setting. `services`: the names that HELIOGRAPH_SERVICES may hold, all of which run when it is not set; a process
 * that hosts none leaves them out, and the variable means nothing to it. Throws SettingsError with one line that names the
 * variable, also where one is close to the name of a setting: whoever misspelt it would run with the preset unawares.
 */
export function readSettings(
  given: Environment = process.env,
  services?: readonly string[],
): Settings {
  const env = credentialed(given);
  const { near, far } = misspelt(Object.keys(env), Object.keys(settingsTable));
  if (near !== undefined) throw new SettingsError(near);
  const values = valuesOf(env);
  const chosen = values.HELIOGRAPH_SERVICES;
  if (services !== undefined) requireKnown(chosen, services);
  const log = values.HELIOGRAPH_LOG;
  const eventstoreUrl = values.HELIOGRAPH_EVENTSTORE_URL;
  if (log === "eventstoredb" && eventstoreUrl === undefined)
    throw new SettingsError(
      "HELIOGRAPH_EVENTSTORE_URL: HELIOGRAPH_LOG=eventstoredb needs the cluster's connection string",
    );
  const feed = values.HELIOGRAPH_FEED;
  const kafka = kafkaOf(values);
  if (feed === "kafka" && kafka === undefined)
    throw new SettingsError(
      "HELIOGRAPH_KAFKA_BROKERS: HELIOGRAPH_FEED=kafka needs a comma-separated list of host:port",
    );
  const databaseUrl = values.HELIOGRAPH_DATABASE_URL;
  const settings: Settings = {
    port: values.HELIOGRAPH_PORT,
    host: values.HELIOGRAPH_HOST,
    dataDir: values.HELIOGRAPH_DATA_DIR,
    archiveDir: values.HELIOGRAPH_ARCHIVE_DIR ?? join(values.HELIOGRAPH_DATA_DIR, "archive"),
    archiveDirIsPreset: values.HELIOGRAPH_ARCHIVE_DIR === undefined,
    databaseUrl,
    attachmentsUrl: values.HELIOGRAPH_ATTACHMENTS_URL,
    attachmentsQuotaBytes: values.HELIOGRAPH_ATTACHMENTS_QUOTA_MB * 1_000_000,
    attachmentsReceivedDays: values.HELIOGRAPH_ATTACHMENTS_RECEIVED_DAYS,
    // A partner with funds and known keys has no place in a database that somebody has set up for work.
    demo: (values.HELIOGRAPH_DEMO ?? (databaseUrl === undefined ? "on" : "off")) === "on",
    encryptMessages: values.HELIOGRAPH_ENCRYPT_MESSAGES === "on",
    limits: values.HELIOGRAPH_LIMITS,
    limitsCopies: values.HELIOGRAPH_LIMITS_COPIES,
    workers: values.HELIOGRAPH_WORKERS,
    log,
    eventstoreUrl,
    feed,
    shards: values.HELIOGRAPH_SHARDS === 0 ? undefined : values.HELIOGRAPH_SHARDS,
    kafka,
    services: chosen.length > 0 ? chosen : (services ?? []),
    retryScale: values.HELIOGRAPH_RETRY_SCALE,
    holdGraceHours: values.HELIOGRAPH_HOLD_GRACE_HOURS,
    ...webhookSettings(values),
    smtpUrls: values.HELIOGRAPH_SMTP_URL,
    mailUrl: values.HELIOGRAPH_MAIL_URL,
    mailFrom: values.HELIOGRAPH_MAIL_FROM,
    inboundSmtp: inboundSmtpOf(values),
    slackWebhookUrl: values.HELIOGRAPH_SLACK_WEBHOOK_URL,
    business: businessOf(values),
    logGatewayChannels: values.HELIOGRAPH_LOG_GATEWAY_CHANNELS,
    masterKey: values.HELIOGRAPH_MASTER_KEY,
    logLevel: values.HELIOGRAPH_LOG_LEVEL,
    ...tracesOf(values, env),
    trustProxy: values.HELIOGRAPH_TRUST_PROXY,
    apiUrl: values.HELIOGRAPH_API_URL?.replace(/\/+$/, ""),
    publicUrl: values.HELIOGRAPH_PUBLIC_URL?.replace(/\/+$/, ""),
    siteUrl: values.HELIOGRAPH_SITE_URL?.replace(/\/+$/, ""),
    shutdownMs: values.HELIOGRAPH_SHUTDOWN_SECONDS * 1000,
    startWaitMs: values.HELIOGRAPH_START_WAIT_SECONDS * 1000,
    unknown: far,
  };
  const weak = defaultSecretIn(settings);
  if (weak !== undefined) throw new SettingsError(weak);
  return settings;
}
