import { hash } from "node:crypto";
import {
  deterministicId,
  environments,
  streamOf,
  uuid5,
  type Environment,
  type EventData,
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
import type { Platform } from "./platform.ts";
import { bootCatchUpMs } from "./seed.ts";

export type DemoKeys = {
  readonly sandboxKey: string;
  readonly liveKey: string;
  readonly adminKey: string;
};

const createdAt = "2026-01-01T00:00:00Z";
/** 100,000 messages of the example at 0.012 USD. */
const openingBalance = "1200";
/** More than one machine can be asked for. */
const noLimit = { requests: 1_000_000, window_seconds: 1 };

const making: Making = { actor: "seed", createdAt };

/**
 * The partner that `npm start` creates, with funds and the template of the example in both environments, and the operator's admin key. Keys are derived
 * from the master key, so every start shows the same ones and no plain key is stored; one that was revoked is followed by another.
 */
export async function ensureDemoPartner(platform: Platform): Promise<DemoKeys> {
  const { directory, masterKey } = platform;
  const usable = (environment: Environment, name: string): string => {
    for (let number = 1; ; number++) {
      const key = derivedKey(masterKey, environment, number === 1 ? name : `${name} ${number}`);
      if (directory.key(hash("sha256", key, "hex"))?.revoked !== true) return key;
    }
  };
  const keys = {
    sandboxKey: usable("sandbox", "demo"),
    liveKey: usable("live", "demo"),
    adminKey: usable("live", "operator"),
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
  for (const environment of environments)
    await appendAll(platform.contexts[environment].log, [
      openingFunds(environment),
      exampleTemplate(),
    ]);
  return keys;
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

/** The wallet's first event: written here, at `no_stream`, so that funds are there even where the wallet service does not run. */
function openingFunds(environment: Environment): Append {
  const data: EventData<"FundsToppedUp"> = {
    covers: "0",
    available: openingBalance,
    held: "0",
    currency: "USD",
    entries: [
      {
        transaction_id: deterministicId("wtx", "demo", environment),
        amount: openingBalance,
        reference: "opening balance",
      },
    ],
  };
  return created(
    streamOf("wallet", demoPartnerId),
    `wallet/${environment}`,
    "FundsToppedUp",
    data,
    demoPartnerId,
  );
}

function exampleTemplate(): Append {
  const slug = "order_confirmation";
  const id = deterministicId("tpl", demoPartnerId, "whatsapp", slug);
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
  return created(streamOf("template", id), id, "TemplateCreated", data, demoPartnerId);
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
