import { createHash, createHmac } from "node:crypto";
import {
  deterministicId,
  environments,
  makeKey,
  streamOf,
  uuid5,
  type Environment,
  type EventData,
} from "@heliograph/contracts";
import type { Append, EventLog } from "@heliograph/log";
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

export const demoPartnerId = deterministicId("ptn", "demo");
const operatorId = deterministicId("ptn", "operator");

/**
 * The partner that `npm start` creates, with funds and the template of the example in both environments, and the operator's admin key. Keys are derived
 * from the master key, so every start shows the same ones and no plain key is stored.
 */
export async function ensureDemoPartner(platform: Platform): Promise<DemoKeys> {
  const key = (environment: Environment, name: string): string =>
    makeKey(environment, () =>
      createHmac("sha512", platform.masterKey).update(`key/${environment}/${name}`).digest(),
    );
  const keys = {
    sandboxKey: key("sandbox", "demo"),
    liveKey: key("live", "demo"),
    adminKey: key("live", "operator"),
  };
  await appendAll(platform.platformLog, [
    partner(demoPartnerId, "Demo"),
    partner(operatorId, "Operator"),
    issued(keys.sandboxKey, demoPartnerId, "sandbox", "demo", ["*"]),
    issued(keys.liveKey, demoPartnerId, "live", "demo", ["*"]),
    issued(keys.adminKey, operatorId, "live", "operator", ["*", "admin"]),
  ]).then((position) => platform.directory.caughtUp(position, bootCatchUpMs));
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

function partner(id: string, name: string): Append {
  const data: EventData<"PartnerCreated"> = {
    partner_id: id,
    name,
    currency: "USD",
    rate_limit: noLimit,
    created_at: createdAt,
  };
  return created(streamOf("partner", id), id, "PartnerCreated", data, id);
}

function issued(
  key: string,
  partnerId: string,
  environment: Environment,
  name: string,
  scopes: string[],
): Append {
  const sha256 = createHash("sha256").update(key).digest("hex");
  const id = deterministicId("key", sha256);
  const data: EventData<"KeyIssued"> = {
    key_id: id,
    partner_id: partnerId,
    environment,
    name,
    sha256,
    prefix: key.slice(0, 12),
    scopes,
    created_at: createdAt,
  };
  return created(streamOf("key", id), id, "KeyIssued", data, partnerId);
}

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
