import {
  type Answer,
  type Call,
  type Route,
  notValid,
  requireSandbox,
  route,
} from "@heliograph/api";
import {
  channelModule,
  inboxAddress,
  parseMailbox,
  type Read,
  sandboxInboxes,
} from "@heliograph/channels";
import { findAttachment, openedRow } from "@heliograph/attachments";
import { type Channel, type EventData, type FieldError, PublicError } from "@heliograph/contracts";
import { recordInbound, takesInbound } from "@heliograph/gateways";
import { AcceptedInbound, SandboxInbound } from "./schema.ts";

const invalid = (path: string, { code, message }: Omit<FieldError, "path">): PublicError =>
  notValid("body", [{ path, code, message }]);

function requireRead<Value>(path: string, read: Read<Value>): Value {
  if (read.kind === "fault") throw invalid(path, read);
  return read.value;
}

/** The simulated gateway of a channel. Throws `channel_not_enabled`. */
function gatewayOf(call: Call, channel: Channel) {
  const gateway = call.context.directory
    .gateways(call.env, channel)
    .find(({ enabled, kind }) => enabled && takesInbound(kind));
  if (gateway === undefined)
    throw new PublicError("channel_not_enabled", `Nobody writes on ${channel} in this sandbox.`, {
      errors: [
        { path: "channel", code: "channel_not_enabled", message: `${channel} is not enabled` },
      ],
    });
  return { id: gateway.gateway_id, kind: gateway.kind };
}

/** What a person must have sent: a reaction may be empty, because one can be taken back. */
function requireContent({ kind = "message", ...body }: SandboxInbound): void {
  if (kind !== "message") {
    if (body.about === undefined)
      throw invalid("about", { code: "required", message: `is required for a ${kind}` });
    return;
  }
  if (body.about !== undefined)
    throw invalid("about", { code: "not_allowed", message: "belongs to a reaction or an edit" });
  if ([body.text, body.html, body.subject, body.media].every((part) => part === undefined))
    throw invalid("text", { code: "required", message: "is required where there are no media" });
}

/** An address, and the name that stands beside it in mail: `Ada <ada@example.org>` is Ada's. */
function addressed(channel: Channel, text: string): { address: string; shownName: string } {
  const mailbox = channelModule(channel).mail && parseMailbox(text);
  return { address: mailbox?.email.address ?? text, shownName: mailbox?.name ?? "" };
}

type Files = NonNullable<EventData<"InboundReceived">["files"]>;

/** Attachments of the partner's that stand for what a person sent: as they would be kept. */
async function keptFiles({ body, deps, partner }: Call<SandboxInbound, unknown>): Promise<Files> {
  const files: Files = [];
  for (const [index, { attachment_id: id, name }] of (body.media ?? []).entries()) {
    if (id === undefined) continue;
    const row = await findAttachment(deps.pool, id, partner.partner_id);
    const opened = row?.status === "ready" ? await openedRow(deps.vault, row) : undefined;
    if (row === undefined || opened === undefined)
      throw invalid(`media.${index}.attachment_id`, {
        code: "not_found",
        message: "is no attachment of yours",
      });
    const called = name ?? opened.name ?? undefined;
    files.push({
      attachment_id: id,
      ...(called !== undefined && { name: called }),
      type: row.type ?? "application/octet-stream",
      bytes: row.bytes ?? 0,
    });
  }
  return files;
}

async function receive(call: Call<SandboxInbound, unknown>): Promise<Answer> {
  requireSandbox(call, "People are simulated");
  const { body } = call;
  const { channel } = body;
  const gateway = gatewayOf(call, channel);
  if (channel === "broadcast")
    throw invalid("channel", { code: "not_allowed", message: "nobody answers a broadcast" });
  requireContent(body);
  for (const field of ["in_reply_to", "references", "unverified"] as const)
    if (channel !== "email" && body[field] !== undefined)
      throw invalid(field, { code: "not_allowed", message: "belongs to an e-mail" });
  const sender = addressed(channel, body.from);
  const from = requireRead("from", channelModule(channel).recipient(sender.address)).to;
  const inbox = addressed(channel, body.to ?? sandboxInboxes[channel]).address;
  const to = requireRead("to", inboxAddress(channel, inbox));
  const profile_name = body.profile_name ?? sender.shownName;
  const { fingerprint, ...metadata } = call.metadata();
  // The event keeps no fingerprint: with another text the same key makes another message.
  const asked = fingerprint === undefined ? "" : call.deps.vault.name("request", fingerprint);
  const providerMessageId = body.provider_message_id ?? call.derivedId("inb", `provider ${asked}`);
  const files = await keptFiles(call);
  const media = body.media?.filter(({ url }) => url !== undefined);
  const posted = {
    ...body,
    media,
    from,
    to,
    ...(profile_name !== "" && { profile_name }),
    provider_message_id: providerMessageId,
  };
  const { messageId, position } = await recordInbound(
    call.deps,
    {
      gateway,
      channel,
      providerMessageId,
      partner: call.partner.partner_id,
      from,
      receivedAt: call.timestamp(),
      contentType: "application/json",
      raw: Buffer.from(JSON.stringify(posted)),
      ...(files.length > 0 && { files }),
    },
    metadata,
  );
  return { status: 202, body: { message_id: messageId }, position };
}

export const sandboxRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/sandbox/inbound",
    scope: "sandbox:write",
    summary:
      "Write as a person would: the simulated provider posts it, and everything after it is as in live",
    mutates: true,
    status: 202,
    body: SandboxInbound,
    response: AcceptedInbound,
    errors: [
      "invalid_request",
      "malformed_json",
      "channel_not_enabled",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: receive,
  }),
];
