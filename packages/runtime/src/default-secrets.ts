/** What products, guides and examples come with, and so what is tried first. */
const known: ReadonlySet<string> = new Set([
  "admin",
  "admin123",
  "changeit",
  "changeme",
  "default",
  "example",
  "guest",
  "heliograph",
  "minioadmin",
  "password",
  "postgres",
  "root",
  "secret",
  "test",
]);
/** 32 random bytes have some thirty different ones, and fewer than twenty never. */
const leastBytes = 16;

/** Of the settings, what holds secrets and addresses. */
type Secrets = {
  readonly host: string;
  readonly publicUrl: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly eventstoreUrl: string | undefined;
  readonly attachmentsUrl: string | undefined;
  readonly kafka:
    | {
        readonly brokers: readonly string[];
        readonly sasl: { readonly password: string } | undefined;
      }
    | undefined;
  readonly masterKey: string | undefined;
};

const isLoopback = (host: string): boolean =>
  host === "" ||
  host === "localhost" ||
  host === "[::1]" ||
  host === "::1" ||
  host.startsWith("127.");

/** `host:port` lists, which connection strings of clusters have, are no URLs: each host counts. */
function hostsOf(url: string): readonly string[] {
  const authority = /^[\w+-]+:\/\/(?:[^@/?]*@)?([^/?]*)/.exec(url)?.[1] ?? "";
  return authority.split(",").map((item) => item.replace(/:\d+$/, ""));
}

/**
 * Local is an installation that nobody else reaches and that reaches nothing else: it listens on the loopback, is called nothing else, and so are its database, log, storage and brokers. There
 * any secret will do, for trials.
 */
const isLocal = (settings: Secrets): boolean => addressesOf(settings).every(isLoopback);

const addressesOf = (settings: Secrets): readonly string[] => [
  settings.host,
  ...[
    settings.publicUrl,
    settings.databaseUrl,
    settings.eventstoreUrl,
    settings.attachmentsUrl,
  ].flatMap((url) => (url === undefined ? [] : hostsOf(url))),
  ...(settings.kafka?.brokers ?? []).map((broker) => broker.replace(/:\d+$/, "")),
];

/** A secret that everybody knows, as a line for a person that does not repeat it; undefined where there is none, and in local mode. */
export function defaultSecretIn(settings: Secrets): string | undefined {
  if (isLocal(settings)) return undefined;
  const { masterKey, kafka, databaseUrl, eventstoreUrl, attachmentsUrl } = settings;
  if (masterKey?.split(",").some((key) => isGuessable(Buffer.from(key, "hex"))) === true)
    return `HELIOGRAPH_MASTER_KEY: this key can be guessed; make one with: openssl rand -hex 32 (${allowed})`;
  const named = {
    HELIOGRAPH_DATABASE_URL: passwordIn(databaseUrl),
    HELIOGRAPH_EVENTSTORE_URL: passwordIn(eventstoreUrl),
    HELIOGRAPH_ATTACHMENTS_URL: passwordIn(attachmentsUrl),
    HELIOGRAPH_KAFKA_PASSWORD: kafka?.sasl?.password,
  };
  const [name] =
    Object.entries(named).find(
      ([, password]) => password !== undefined && known.has(password.toLowerCase()),
    ) ?? [];
  return name === undefined
    ? undefined
    : `${name}: the password is one that everybody tries first; set another one (${allowed})`;
}

const allowed = "such secrets are for installations that listen on, and use, the loopback alone";

function passwordIn(url: string | undefined): string | undefined {
  const password = /^[\w+-]+:\/\/[^:@/?]*:([^@/?]*)@/.exec(url ?? "")?.[1];
  if (password === undefined) return undefined;
  try {
    return decodeURIComponent(password);
  } catch {
    return password;
  }
}

/** Few different bytes, or each as far from the one before it as the next. */
function isGuessable(key: Buffer): boolean {
  if (new Set(key).size < leastBytes) return true;
  const step = (key[1]! - key[0]!) & 0xff;
  return key.every((byte, index) => index === 0 || ((byte - key[index - 1]!) & 0xff) === step);
}
