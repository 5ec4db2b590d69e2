import { adoptFiles, forgetFiles, removeOfSpace } from "@heliograph/attachments";
import { failpoint, isId, uuid5, accountOf, type EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { endDevicesOf, forgetDevices } from "../devices.ts";
import { devicesOfAgents } from "../tables/devices.ts";
import {
  holdersPartnerDdl,
  openPushes,
  pushDdl,
  writeHolders,
  writePushes,
  type Holder,
  type NewPush,
  type PushKind,
} from "../tables/pushes.ts";
import { tellFile, toldFile } from "../received/tell.ts";
import { openPusher } from "./pusher.ts";

const types = [
  "ConversationAssigned",
  "ConversationUnassigned",
  "ConversationQueued",
  "MessageReceived",
  "MessageFailed",
  "FailoverStepFailed",
  "AgentPresenceChanged",
  "SessionEnded",
  "ContactErased",
  "SpaceEnded",
  "InboundMatched",
] as const;
type PushEvent = RecordedEvent<(typeof types)[number]>;

/** Nobody wants to be woken for what is older; a consumer that was away for a day does not tell of all of it. */
const maxAgeMs = 600_000;

/** What an event is pushed for. */
type Cause = {
  readonly eventId: string;
  readonly partner: string;
  readonly agentId: string;
  readonly conversationId: string;
  readonly kind: PushKind;
  readonly expiresAt: number;
};

/**
 * Pushes to the devices of an agent who is given a conversation, and who has one in which the person wrote. What is to be pushed is durable with the checkpoint, its ids follow from event and
 * device, and a call that may have been made is not made again: at most once for each.
 */
export const pushReactor = reactor({
  kind: "reactor",
  name: "mobile-push",
  schema: "mobile_push",
  types,
  spaces: { holders: "partner", pushes: "partner", "mobile_attachments.usage": "partner" },
  migrations: [pushDdl, holdersPartnerDdl],
  start: startPushing,
});

async function startPushing(tools: ReactorTools): Promise<ReactorInstance<PushEvent["type"]>> {
  const { context, schema, checkpoint } = tools;
  const { pool } = context;
  const pushes = openPushes(pool, schema);
  await pushes.giveUpCalls();
  const pusher = openPusher(tools, pushes);
  pusher.ring();

  async function causesOf(events: readonly PushEvent[], holders: Map<string, Holder | null>) {
    const unknown = events.flatMap(({ type, data }) =>
      type === "MessageReceived" ? [data.conversation_id] : [],
    );
    const known = unknown.length === 0 ? new Map() : await pushes.holders(unknown);
    return events.flatMap((event): readonly Cause[] => {
      const { type, data } = event;
      if (!("conversation_id" in data)) return [];
      const id = data.conversation_id;
      const partner = event.metadata.partner!;
      if (type === "ConversationAssigned") holders.set(id, { agentId: data.agent.id, partner });
      else if (type !== "MessageReceived") holders.set(id, null);
      const agentId = holders.has(id) ? holders.get(id)?.agentId : known.get(id);
      const isTold = type === "ConversationAssigned" || type === "MessageReceived";
      if (!isTold || agentId === undefined) return [];
      const kind = type === "MessageReceived" ? "message" : "assigned";
      const expiresAt = event.recordedAt + maxAgeMs;
      if (expiresAt <= Date.now()) return [];
      return [{ eventId: event.id, partner, agentId, conversationId: id, kind, expiresAt }];
    });
  }

  async function intentsOf(causes: readonly Cause[]): Promise<readonly NewPush[]> {
    if (causes.length === 0) return [];
    const devices = await devicesOfAgents(pool, [...new Set(causes.map(({ agentId }) => agentId))]);
    return causes.flatMap(({ eventId, ...cause }) =>
      devices
        .filter(
          ({ agent_id, partner }) =>
            agent_id === cause.agentId && partner === accountOf(cause.partner),
        )
        .map(({ id }) => ({ ...cause, id: uuid5("push", eventId, id), deviceId: id })),
    );
  }

  return {
    async handle({ events, position }) {
      const holders = new Map<string, Holder | null>();
      const intents = await intentsOf(await causesOf(events, holders));
      for (const event of events) await endWith(context, event);
      await failpoint("mobile.before_intents");
      await checkpoint.commit(position, [...writeHolders(holders), ...writePushes(intents)]);
      await failpoint("mobile.after_intents");
      if (intents.length > 0) pusher.ring();
    },
    stop: () => pusher.close(),
  };
}

/** What ends with an agent, a session, a contact, a space or a token, and whose files turned out to be whose: done before the checkpoint passes, and the same when it is done twice. */
async function endWith(
  keeping: Pick<ReactorTools["context"], "pool" | "vault" | "settings" | "logger" | "log">,
  event: PushEvent,
): Promise<void> {
  const { pool } = keeping;
  const { type, data, metadata, recordedAt } = event;
  const partner = metadata.partner ?? "";
  if (type === "AgentPresenceChanged" && data.status === "disabled") {
    const devices = await devicesOfAgents(pool, [data.agent_id]);
    for (const { id, partner: owner } of devices)
      await forgetDevices(keeping, owner, [id], { agentId: data.agent_id });
  } else if (type === "SessionEnded") await endDevicesOf(keeping, data.session_id);
  else if (type === "ContactErased")
    await forgetFiles(keeping, partner, [data.contact_id, ...data.with]);
  else if (type === "MessageFailed" || type === "FailoverStepFailed")
    await endUnreachable(keeping, partner, data, recordedAt);
  else if (type === "SpaceEnded") await removeOfSpace(pool, data.space);
  else if (type === "InboundMatched") {
    const ids = (data.media ?? []).flatMap(({ attachment_id: id }) => id ?? []);
    if (ids.length > 0) await adopt(keeping, partner, data, ids);
  }
}

async function adopt(
  keeping: Pick<ReactorTools["context"], "pool" | "vault" | "settings" | "logger" | "log">,
  partner: string,
  data: EventData<"InboundMatched">,
  ids: readonly string[],
): Promise<void> {
  const { ids: gone, reason } = await adoptFiles(keeping, partner, data.contact_id, ids);
  for (const id of gone)
    await tellFile(keeping.log, partner, toldFile(data, id), { type: "ReceivedFileLost", reason });
  if (gone.length > 0)
    keeping.logger.warn(
      { partner, inbound: data.inbound_id, files: gone.length, reason },
      "files of a message were removed: its contact is erased, or the partner has no room for them",
    );
}

/** A device that a message could not reach because its token is none any more, unless it was registered after that. */
async function endUnreachable(
  keeping: Pick<ReactorTools["context"], "pool" | "vault">,
  partner: string,
  { message: { channel, to }, error }: EventData<"MessageFailed" | "FailoverStepFailed">,
  registeredUntil: number,
): Promise<void> {
  if (channel !== "push" || error.code !== "recipient_unreachable") return;
  const device = (await keeping.vault.open(partner, to))(to);
  if (isId("dev", device))
    await forgetDevices(keeping, accountOf(partner), [device], { registeredUntil });
}
