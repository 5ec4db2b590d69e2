import {
  type Answer,
  type Call,
  type Route,
  TimeInput,
  notValid,
  requireSandbox,
  route,
  timeOf,
} from "@heliograph/api";
import {
  type Channel,
  channels,
  type Failure,
  PublicError,
  receiptStatuses,
} from "@heliograph/contracts";
import { type MessageState, formatTime, readMessage, requestOfStep } from "@heliograph/domain";
import {
  attemptIdOf,
  type Receipt,
  recordReceipts,
  simulatedMessageId,
} from "@heliograph/gateways";
import { z } from "zod";

const SandboxReceipt = z
  .strictObject({
    message_id: z.string().max(64).meta({
      description: "A message of your sandbox; it may still wait to be sent.",
      example: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    }),
    status: z.enum(receiptStatuses).meta({
      description: "What the provider reports.",
      example: "delivered",
    }),
    channel: z.enum(channels).optional().meta({
      description:
        "Of a message with `failover`: the step it is about; the one that was sent last when left out.",
      example: "whatsapp",
    }),
    code: z
      .string()
      .regex(/^[\w.-]{1,64}$/, "must be letters, digits, dots, dashes and underscores, 64 at most")
      .optional()
      .meta({ description: "The provider's own code for it.", example: "mailbox_not_found" }),
    billable: z.literal(true).optional().meta({
      description:
        "Of one that was not delivered: the provider charges for it nevertheless, as for a text that a carrier has filtered, and its price is not given back.",
    }),
    at: TimeInput.optional().meta({
      format: "date-time",
      description: "When it happened, by the provider's clock; now when left out.",
      example: "2026-05-23T14:22:17Z",
    }),
  })
  .meta({ id: "SandboxReceipt" });
type SandboxReceipt = z.infer<typeof SandboxReceipt>;

const AcceptedReceipt = z
  .object({
    message_id: z.string().meta({ example: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C" }),
    status: z.enum(receiptStatuses).meta({ example: "delivered" }),
  })
  .meta({ id: "AcceptedReceipt" });

/** A provider's clock may be a little ahead of ours. */
const mostAheadMs = 60_000;

/** Whoever took the message, or will: the receipt may come before the answer to its send. */
function providerOf(call: Call, state: MessageState, channel: Channel | undefined) {
  const { id, attempts, request, failover } = state;
  const provider = channel === undefined ? state.provider : takenBy(state, channel);
  if (provider !== undefined)
    return { gateway: provider.gateway, provider_message_id: provider.message_id };
  if (channel !== undefined && (failover !== undefined || channel !== request.channel))
    throw notValid("body", [{ path: "channel", code: "not_sent", message: "has not sent it" }]);
  const [next] = call.context.directory
    .gateways(call.env, request.channel)
    .filter(({ enabled }) => enabled);
  const attemptId = attemptIdOf(id, attempts + 1);
  return {
    gateway: next?.name ?? `sim-${request.channel}`,
    provider_message_id: simulatedMessageId(attemptId),
  };
}

/** Who took the step of that channel. */
const takenBy = ({ failover, request, provider }: MessageState, channel: Channel) =>
  failover === undefined
    ? channel === request.channel
      ? provider
      : undefined
    : failover.steps
        .find((_, step) => requestOfStep(failover.origin, step).channel === channel)
        ?.taken.at(-1);

/** What a provider says beside a status that is no good news. */
function failureOf({ status, code = status, billable }: SandboxReceipt, gateway: string) {
  if (status !== "undelivered" && status !== "bounced" && status !== "deferred")
    return code === status ? {} : { diagnostic: code };
  const permanent = status !== "deferred";
  const provider = { name: gateway, code };
  const error: Failure = {
    code,
    class: "recipient",
    permanent,
    ...(billable && { billable }),
    provider,
  };
  return { permanent, error, diagnostic: `${status}: ${code}` };
}

async function play(call: Call<SandboxReceipt, unknown>): Promise<Answer> {
  requireSandbox(call, "Receipts are played");
  const { message_id, status, code = "", at } = call.body;
  const occurredAt = timeOf(at) ?? call.now();
  if (occurredAt > call.now() + mostAheadMs)
    throw notValid("body", [{ path: "at", code: "out_of_range", message: "has not come yet" }]);
  const partner = call.partner.partner_id;
  const found = await readMessage(call.deps.log, partner, message_id);
  if (found === undefined) throw new PublicError("not_found", "There is no such message.");
  const provider = providerOf(call, found.state, call.body.channel);
  const receipt: Receipt = {
    message_id,
    ...provider,
    // Told again it is the same; beside the one that the simulated provider plays by itself it is another.
    provider_event_id: `${provider.provider_message_id}.played.${status}.${code}`,
    status,
    ...failureOf(call.body, provider.gateway),
    occurred_at: formatTime(occurredAt),
  };
  const stamp = call.deps.clock.stamp(partner);
  await recordReceipts(call.deps.log, [{ receipt, partner, actor: call.actor, ...stamp }]);
  return { status: 202, body: { message_id, status } };
}

export const sandboxReceiptRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/sandbox/receipts",
    scope: "sandbox:write",
    summary:
      "Report on a message as its provider would: in any order, as often as you like, and everything after it is as in live",
    mutates: true,
    status: 202,
    body: SandboxReceipt,
    response: AcceptedReceipt,
    errors: [
      "invalid_request",
      "malformed_json",
      "not_found",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: play,
  }),
];
