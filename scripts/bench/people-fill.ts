import {
  deterministicId,
  newId,
  streamOf,
  uuid7,
  validateEvent,
  type Environment,
  type EventData,
} from "@heliograph/contracts";
import { threadName } from "@heliograph/domain";
import { openPostgresLog, type Append, type EventLog } from "@heliograph/log";
import { newLogger, openPool } from "@heliograph/runtime";
import { openVault, type Seal, type Vault } from "@heliograph/vault";
import type { Instance } from "@heliograph/testkit";
import { readFileSync } from "node:fs";

/** Contacts in one round of appends: enough for the log to fill its flushes, few enough for flat memory. */
const contactsAtOnce = 500;
/** One conversation in ten contacts, of this many inbound messages each, makes two messages a contact. */
const contactsPerConversation = 10;
const messagesPerConversation = 20;
const inbox = "+15550109999";
const at = "2026-05-23T14:22:17.000Z";

const first = [
  "Ada",
  "Álvaro",
  "Bea",
  "Chloë",
  "Dmitri",
  "Esra",
  "Femke",
  "Grace",
  "Håkon",
  "Ines",
];
const last = [
  "Lovelace",
  "Núñez",
  "Okafor",
  "Petrov",
  "Quigley",
  "Ramos",
  "Şahin",
  "Tanaka",
  "Ünal",
  "Vogel",
];

export type Filled = {
  readonly contacts: number;
  readonly messages: number;
  readonly busiest: string;
};

/** Writes contacts, and unless they are `silent` what they wrote, into an environment's log, as the consumers of inbound messages would have. */
export async function fillPeople(
  instance: Instance,
  dataDir: string,
  partner: string,
  contacts: number,
  {
    environment = "sandbox",
    silent = false,
  }: { readonly environment?: Environment; readonly silent?: boolean } = {},
): Promise<Filled> {
  const writes = (number: number): boolean => !silent && number % contactsPerConversation === 0;
  const connection = {
    connectionString: Object.assign(new URL(instance.databaseUrl), {
      pathname: `/heliograph_${environment}`,
    }).href,
  };
  const pool = openPool(connection, { name: "bench", max: 4, durable: false }, newLogger("silent"));
  const log = await openPostgresLog({
    connection,
    namespace: environment,
    validate: validateEvent,
  });
  const vault = await openVault(
    pool,
    Buffer.from(readFileSync(`${dataDir}/master.key`, "utf8").trim(), "hex"),
    environment,
  );
  try {
    let messages = 0;
    let flight: Promise<unknown> = Promise.resolve();
    for (let from = 0; from < contacts; from += contactsAtOnce) {
      const ids = Array.from({ length: Math.min(contactsAtOnce, contacts - from) }, (_, index) =>
        contactId(from + index),
      );
      const seals = await vault.seals(ids.map((subject) => ({ partner, subject })));
      const appends = ids.flatMap((id, index) =>
        contactAppends(vault, { partner, id, number: from + index }, seals[index]!, writes),
      );
      messages += ids.filter((_, index) => writes(from + index)).length * messagesPerConversation;
      await flight;
      flight = appendAll(log, appends);
    }
    await flight;
    return { contacts, messages, busiest: contactId(0) };
  } finally {
    await log.close();
    await pool.end();
  }
}

const contactId = (number: number): string => deterministicId("cnt", "bench", String(number));
const phoneOf = (number: number): string => `+1555${String(1_000_000 + number).padStart(7, "0")}`;

async function appendAll(log: EventLog, appends: readonly Append[]): Promise<void> {
  for (const outcome of await log.append(appends))
    if (outcome.kind !== "appended")
      throw new Error(
        `fill: ${JSON.stringify(outcome, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))}`,
      );
}

type Person = {
  readonly partner: string;
  readonly id: string;
  readonly number: number;
  readonly external: { readonly source: string; readonly id: string; readonly name: string };
};
const event = (partner: string, type: string, data: object) => {
  return { id: uuid7(), type, data, metadata: { partner, actor: "bench" } };
};

function contactAppends(
  vault: Vault,
  { partner, id, number }: Omit<Person, "external">,
  seal: Seal,
  writes: (number: number) => boolean,
): Append[] {
  const address = phoneOf(number);
  const name = vault.name("external-id", partner, "sms", address);
  const external = { source: "sms", id: seal(address), name };
  const created: EventData<"ContactCreated"> = {
    contact_id: id,
    external_ids: [external],
    name: seal(`${first[number % 10]} ${last[Math.floor(number / 10) % 10]} ${number}`),
    profile: seal(
      JSON.stringify({
        attributes: { plan: number % 3 === 0 ? "pro" : "free" },
        tags: [`t${number % 100}`],
      }),
    ),
    made_by: "import",
    created_at: at,
  };
  const appends: Append[] = [
    {
      stream: streamOf("external", `id-${name}`),
      expected: "no_stream",
      events: [
        event(partner, "ExternalIdClaimed", {
          name,
          source: "sms",
          contact_id: id,
          claimed_at: at,
        }),
      ],
    },
    {
      stream: streamOf("contact", id),
      expected: "no_stream",
      events: [event(partner, "ContactCreated", created)],
    },
  ];
  if (!writes(number)) return appends;
  return [...appends, ...conversationAppends(vault, { partner, id, number, external }, seal)];
}

function conversationAppends(vault: Vault, person: Person, seal: Seal): Append[] {
  const { partner, id, number, external } = person;
  const thread = threadName(vault, { partner, inbox, channel: "sms", address: external });
  const conversation = {
    conversation_id: deterministicId("cnv", "bench", String(number)),
    contact_id: id,
  };
  const received = (index: number): EventData<"MessageReceived"> => ({
    ...conversation,
    message_id: newId("msg"),
    inbound_id: newId("inb"),
    channel: "sms",
    from: external.id,
    to: inbox,
    text: seal(`Where is my order ${number}? I asked ${index} times.`),
    provider: { gateway: "sim-sms", name: "sim-sms", message_id: `${number}-${index}` },
    received_at: at,
  });
  return [
    {
      stream: streamOf("conversation", conversation.conversation_id),
      expected: "no_stream",
      events: [
        event(partner, "ConversationPlaced", {
          conversation_id: conversation.conversation_id,
          thread,
        }),
      ],
    },
    {
      stream: `thread-${thread}`,
      expected: "no_stream",
      events: [
        event(partner, "ConversationOpened", {
          ...conversation,
          number: 0,
          channel: "sms",
          inbox,
          address: external,
          opened_at: at,
        }),
        ...Array.from({ length: messagesPerConversation }, (_, index) =>
          event(partner, "MessageReceived", received(index)),
        ),
      ],
    },
  ];
}
