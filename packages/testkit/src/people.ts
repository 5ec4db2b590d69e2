import { externalIdName } from "@heliograph/channels";
import {
  type Channel,
  type EventData,
  type EventType,
  deterministicId,
  newId,
  streamOf,
  uuid7,
} from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import { until } from "./until.ts";

export const inbox = "+15550109999";

type Context = Pick<ServiceContext, "log" | "vault">;
export type Saying = {
  readonly partner: string;
  readonly contact: string;
  readonly channel?: Channel;
  readonly from?: string;
  readonly to?: string;
  readonly text?: string;
  readonly subject?: string;
  readonly providerId?: string;
  readonly known?: boolean;
  readonly kind?: "message" | "reaction" | "edit";
  readonly about?: string;
  readonly automatic?: boolean;
  readonly at?: string;
  /** Under which id a file is kept that came with it, or will be. */
  readonly file?: string;
  /** The pool that `to` is in. */
  readonly pool?: string;
};

/** What matching writes of an inbound message, texts sealed under the contact's key. */
export async function matchedOf(
  { vault }: Pick<Context, "vault">,
  saying: Saying,
): Promise<EventData<"InboundMatched">> {
  const { partner, contact, channel = "sms", from = "+15551234567", providerId = uuid7() } = saying;
  const seal = await vault.seal({ partner, subject: contact });
  return {
    inbound_id: deterministicId("inb", partner, providerId),
    message_id: deterministicId("msg", partner, providerId),
    contact_id: contact,
    known: saying.known ?? true,
    channel,
    external_id: {
      source: channel,
      id: seal(from),
      name: externalIdName(vault, partner, { source: channel, id: from }),
    },
    from: seal(from),
    to: saying.to ?? inbox,
    ...(saying.text !== undefined && { text: seal(saying.text) }),
    ...(saying.subject !== undefined && { subject: seal(saying.subject) }),
    ...(saying.file !== undefined && {
      media: [{ url: seal(`/api/v1/attachments/${saying.file}`), attachment_id: saying.file }],
    }),
    kind: saying.kind ?? "message",
    ...(saying.about !== undefined && { about: saying.about }),
    ...(saying.automatic !== undefined && { automatic: saying.automatic }),
    provider: { gateway: "sim-sms", name: "sim-sms", message_id: providerId },
    gateway_id: newId("gtw"),
    ...(saying.pool !== undefined && { pool_id: saying.pool }),
    received_at: saying.at ?? new Date().toISOString(),
    reason: "the test says so",
  };
}

export async function appendTo(
  { log }: Pick<ServiceContext, "log">,
  stream: string,
  type: EventType,
  data: object,
  partner: string,
): Promise<bigint> {
  const [outcome] = await log.append([
    { stream, expected: "any", events: [{ id: uuid7(), type, data, metadata: { partner } }] },
  ]);
  if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
  return outcome.position;
}

/** Appends what fetches a file would, and gives the position. */
export const tellOfFile = (
  context: Context,
  partner: string,
  message: EventData<"MessageReceived">,
  news:
    | readonly ["ReceivedFileAwaited"]
    | readonly ["ReceivedFileKept", { readonly type: string; readonly bytes: number }]
    | readonly ["ReceivedFileLost", Pick<EventData<"ReceivedFileLost">, "reason">],
): Promise<bigint> => {
  const [type, more] = news;
  const { message_id, inbound_id, contact_id, channel } = message;
  const attachment_id = message.media![0]!.attachment_id!;
  const time = { ReceivedFileAwaited: "awaited_at", ReceivedFileKept: "kept_at" } as const;
  const at = type === "ReceivedFileLost" ? "lost_at" : time[type];
  const data = { attachment_id, message_id, inbound_id, contact_id, channel, ...more };
  const told = { ...data, [at]: new Date().toISOString() };
  return appendTo(context, streamOf("file", attachment_id), type, told, partner);
};

/** Appends what matching would, and gives the message's id. */
export async function say(context: Context, saying: Saying): Promise<string> {
  const data = await matchedOf(context, saying);
  const stream = streamOf("inbound", data.inbound_id);
  await appendTo(context, stream, "InboundMatched", data, saying.partner);
  return data.message_id;
}

/** A contact as its own service would begin it. */
export async function addContact(context: Context, partner: string, name = "Ada"): Promise<string> {
  const id = newId("cnt");
  const seal = await context.vault.seal({ partner, subject: id });
  const data: EventData<"ContactCreated"> = {
    contact_id: id,
    external_ids: [],
    name: seal(name),
    profile: seal("{}"),
    made_by: "api",
    created_at: new Date().toISOString(),
  };
  await appendTo(context, streamOf("contact", id), "ContactCreated", data, partner);
  return id;
}

/** Every event of threads there is. */
export async function threadEvents({
  log,
}: Pick<ServiceContext, "log">): Promise<readonly RecordedEvent[]> {
  const { events } = await log.readAll({ after: 0n, limit: 2_000 });
  return events.filter(({ stream }) => stream.startsWith("thread-"));
}

/** Waits until a message is in its thread, and gives that event. */
export const placed = (
  context: Pick<ServiceContext, "log">,
  messageId: string,
): Promise<RecordedEvent<"MessageReceived">> =>
  until(
    async () =>
      (await threadEvents(context)).find(
        (event): event is RecordedEvent<"MessageReceived"> =>
          event.type === "MessageReceived" && event.data.message_id === messageId,
      ),
    { what: `${messageId} is in its thread` },
  );

/** An agent as the log has one, of this partner and working in the sandbox; `given` says what is different. */
export function agentCreated(
  partner: string,
  given: Partial<EventData<"AgentCreated">> = {},
): EventData<"AgentCreated"> {
  const agent_id = newId("agt");
  return {
    agent_id,
    partner_id: partner,
    email: `${agent_id}@example.com`,
    login: agent_id,
    name: "Ada",
    role: "agent",
    capacity: 3,
    skills: [],
    languages: [],
    environments: ["sandbox"],
    status: "active",
    created_at: "2026-05-23T14:22:17.000Z",
    ...given,
  };
}
