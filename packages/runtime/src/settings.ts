/** Settings come from `HELIOGRAPH_*` variables; a bad value stops the start with one clear line. Documented in `docs/operating/settings.md`. */
export type Settings = {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly services: readonly string[];
  readonly retryScale: number;
  readonly webhookAllowCidrs: readonly string[];
  readonly smtpUrls: readonly string[];
  readonly logGatewayChannels: readonly string[];
  readonly masterKey: string | undefined;
  readonly logLevel: string;
  readonly trustProxy: string | undefined;
  readonly shutdownMs: number;
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

function oneOf(
  env: Environment,
  name: string,
  allowed: readonly string[],
  supported: readonly string[],
): void {
  const text = env[name];
  if (text === undefined || text === "") return;
  if (!allowed.includes(text))
    throw new SettingsError(`${name}: "${text}" is none of ${allowed.join(", ")}`);
  if (!supported.includes(text))
    throw new SettingsError(
      `${name}: "${text}" is not available in this version; use ${supported.join(", ")}`,
    );
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
  return text;
}

const cidr = /^(\d{1,3}(\.\d{1,3}){3}\/\d{1,2}|[0-9a-fA-F:.]+\/\d{1,3})$/;

/** Reads and checks every setting. Throws SettingsError with one line that names the variable. */
export function readSettings(env: Environment = process.env): Settings {
  oneOf(env, "HELIOGRAPH_LOG", ["postgres", "eventstoredb"], ["postgres"]);
  oneOf(env, "HELIOGRAPH_FEED", ["log", "kafka"], ["log"]);
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
  return {
    port: number(env, "HELIOGRAPH_PORT", 8080, 0, 65_535),
    host: env["HELIOGRAPH_HOST"] || "127.0.0.1",
    dataDir: env["HELIOGRAPH_DATA_DIR"] || ".heliograph",
    databaseUrl: url(env, "HELIOGRAPH_DATABASE_URL", ["postgres:", "postgresql:"]),
    services: services.length > 0 ? services : serviceNames,
    retryScale: number(env, "HELIOGRAPH_RETRY_SCALE", 1, 0, 1000),
    webhookAllowCidrs,
    smtpUrls,
    logGatewayChannels,
    masterKey,
    logLevel,
    trustProxy: env["HELIOGRAPH_TRUST_PROXY"] || undefined,
    shutdownMs: number(env, "HELIOGRAPH_SHUTDOWN_SECONDS", 20, 1, 600) * 1000,
  };
}
