import { createHmac, hash } from "node:crypto";
import {
  deterministicId,
  environments,
  streamOf,
  uuid5,
  type EventData,
  type KeyKind,
} from "@heliograph/contracts";
import type { Append, EventLog } from "@heliograph/log";
import {
  adminTerms,
  demoPartnerId,
  derivedKey,
  keyIssued,
  operator,
  partnerCreated,
  type Making,
} from "./accounts.ts";
import { addPassword, hashPassword, loginOf, readCredentials } from "./credentials/index.ts";
import type { Platform } from "./platform.ts";
import { bootCatchUpMs } from "./seed.ts";

/** What somebody signs in with. */
export type DemoAgent = { readonly email: string; readonly password: string };

export type DemoKeys = {
  readonly sandboxKey: string;
  readonly liveKey: string;
  readonly adminKey: string;
  /** An owner of the demo partner, in both environments. */
  readonly agent: DemoAgent;
  /** An owner of the installation's own partner. */
  readonly operator: DemoAgent;
};

const createdAt = "2026-01-01T00:00:00Z";
/** 100,000 messages of the example at 0.012 USD. */
const openingBalance = "1200";
/** More than one machine can be asked for. */
const noLimit = { requests: 1_000_000, window_seconds: 1 };

const making: Making = { actor: "seed", createdAt };

/**
 * The partner that `npm start` creates, with funds and the template of the example in both environments and an agent, and the operator's admin key and agent. Keys and passwords
 * are derived from the master key, so every start shows the same ones and none is stored plain; a key that was revoked is followed by another, a password that was changed stays.
 */
export async function ensureDemoPartner(platform: Platform): Promise<DemoKeys> {
  const { directory, masterKey } = platform;
  const usable = (kind: KeyKind, name: string): string => {
    for (let number = 1; ; number++) {
      const key = derivedKey(masterKey, kind, number === 1 ? name : `${name} ${number}`);
      if (directory.key(hash("sha256", key, "hex"))?.revoked !== true) return key;
    }
  };
  const keys = {
    sandboxKey: usable("sandbox", "demo"),
    liveKey: usable("live", "demo"),
    adminKey: usable("admin", "operator"),
  };
  const demo = { partnerId: demoPartnerId, name: "demo", scopes: ["*"] };
  const partner = { currency: "USD", rate_limit: noLimit };
  await appendAll(platform.platformLog, [
    partnerCreated({ ...partner, partner_id: demoPartnerId, name: "Demo" }, making),
    partnerCreated({ ...partner, ...operator }, making),
    keyIssued(keys.sandboxKey, { ...demo, environment: "sandbox" }, making),
    keyIssued(keys.liveKey, { ...demo, environment: "live" }, making),
    keyIssued(keys.adminKey, adminTerms("operator"), making),
  ]).then((position) => directory.caughtUp(position, bootCatchUpMs));
  const agents = {
    agent: await ensureAgent(platform, "demo", demoPartnerId),
    operator: await ensureAgent(platform, "operator", operator.partner_id),
  };
  for (const environment of environments)
    await appendAll(
      platform.contexts[environment].log,
      startOf(demoPartnerId, {
        currency: "USD",
        createdAt,
        transactionId: deterministicId("wtx", "demo", environment),
        event: `wallet/${environment}`,
      }),
    );
  return { ...keys, ...agents };
}

/** An owner who can sign in everywhere, without codes. The address is of a domain that nobody can have (RFC 2606). */
async function ensureAgent(
  { platformLog, platformPool, directory, masterKey }: Platform,
  name: string,
  partnerId: string,
): Promise<DemoAgent> {
  const id = deterministicId("agt", "demo", name);
  const email = `${name}@heliograph.example`;
  const login = loginOf(email);
  const claim: EventData<"LoginClaimed"> = {
    login,
    agent_id: id,
    partner_id: partnerId,
    claimed_at: createdAt,
  };
  const agent: EventData<"AgentCreated"> = {
    agent_id: id,
    partner_id: partnerId,
    email,
    login,
    name: name === "demo" ? "Demo Owner" : "Operator",
    role: "owner",
    capacity: 10,
    skills: [],
    languages: ["en"],
    environments: [...environments],
    status: "active",
    created_at: createdAt,
  };
  const position = await appendAll(platformLog, [
    created(login, `login/${name}`, "LoginClaimed", claim, partnerId),
    created(streamOf("agent", id), id, "AgentCreated", agent, partnerId),
  ]);
  await directory.caughtUp(position, bootCatchUpMs);
  const password = createHmac("sha256", masterKey)
    .update(`password/${name}`)
    .digest("base64url")
    .slice(0, 24);
  if ((await readCredentials(platformPool, id)) === undefined)
    await addPassword(platformPool, {
      agent: id,
      partner: partnerId,
      password: await hashPassword(password),
    });
  return { email, password };
}

const created = (
  stream: string,
  id: string,
  type: string,
  data: object,
  partnerId: string,
): Append => ({
  stream,
  expected: "no_stream",
  events: [
    { id: uuid5("demo", id, type), type, data, metadata: { partner: partnerId, actor: "seed" } },
  ],
});

type Start = {
  readonly currency: string;
  readonly createdAt: string;
  /** Names of the entry and of its event. */
  readonly transactionId: string;
  readonly event: string;
};

const startOf = (partnerId: string, start: Start): readonly Append[] => [
  openingFunds(partnerId, start),
  exampleTemplate(partnerId, start.createdAt),
];

/** Gives a tenant what the platform is tried with: funds, and the template of the example. Whatever is there already stays. */
export async function startSandbox(
  sandboxLog: EventLog,
  partnerId: string,
  given: Pick<Start, "currency" | "createdAt">,
): Promise<void> {
  const transactionId = deterministicId("wtx", "start", partnerId);
  const event = `wallet/sandbox/${partnerId}`;
  await appendAll(sandboxLog, startOf(partnerId, { ...given, transactionId, event }));
}

/** The wallet's first event: written here, at `no_stream`, so that funds are there even where the wallet service does not run. */
function openingFunds(partnerId: string, { currency, transactionId, event }: Start): Append {
  const data: EventData<"FundsToppedUp"> = {
    covers: "0",
    available: openingBalance,
    held: "0",
    currency,
    entries: [
      {
        transaction_id: transactionId,
        amount: openingBalance,
        reference: "opening balance",
      },
    ],
  };
  return created(streamOf("wallet", partnerId), event, "FundsToppedUp", data, partnerId);
}

function exampleTemplate(partnerId: string, createdAt: string): Append {
  const slug = "order_confirmation";
  const id = deterministicId("tpl", partnerId, "whatsapp", slug);
  const data: EventData<"TemplateCreated"> = {
    template_id: id,
    slug,
    version: 1,
    channel: "whatsapp",
    default_language: "en",
    created_at: createdAt,
    description: "An order is on its way.",
    languages: {
      en: { text: "Hello {{name}}, your order {{order_id}} is on its way and arrives in {{eta}}." },
    },
    variables: {
      name: { type: "string", required: true },
      order_id: { type: "string", required: true },
      eta: { type: "string", required: true },
    },
  };
  return created(streamOf("template", id), id, "TemplateCreated", data, partnerId);
}

/** Appends what is not there yet and gives the highest position written. */
async function appendAll(log: EventLog, appends: readonly Append[]): Promise<bigint> {
  let position = 0n;
  for (const outcome of await log.append(appends)) {
    if (outcome.kind === "invalid") throw new Error(`demo partner: ${outcome.message}`);
    if (outcome.kind === "appended" && outcome.position > position) position = outcome.position;
  }
  return position;
}
