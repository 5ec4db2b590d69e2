import {
  type ChannelModule,
  type Recipient,
  channelModule,
  magicOutcome,
} from "@heliograph/channels";
import { type EventData, type FieldError, type Micros, PublicError } from "@heliograph/contracts";
import {
  type PriceList,
  type TemplateAt,
  formatTime,
  parseTime,
  priceFor,
} from "@heliograph/domain";
import { contentOf, invalid } from "./content.ts";
import { putOff, quietHoursOf } from "./quiet-hours.ts";
import type { SendMessage } from "./send.ts";
import type { AsksSender } from "./sender-choice.ts";
import type { Stop } from "./suppressed.ts";

type Requested = EventData<"MessageRequested">;

const minute = 60_000;
const day = 24 * 60 * minute;
const scheduleMs = { soonest: 30_000, latest: 180 * day };
const defaultValiditySeconds = 172_800;
const maxMetadataBytes = 2_048;

export const channelNotEnabled = (
  channel: string,
  why = `The channel ${channel} is not enabled.`,
): PublicError =>
  new PublicError("channel_not_enabled", why, {
    errors: [
      { path: "channel", code: "channel_not_enabled", message: `${channel} is not enabled` },
    ],
  });

/** Reads `to` by the channel's rules. Throws `invalid_request`. */
export function recipientOf(body: SendMessage): Recipient {
  const found = channelModule(body.channel).recipient(body.to);
  if (found.kind === "fault") throw invalid([{ path: "to", ...faultOf(found) }]);
  return found.value;
}

const faultOf = ({ code, message }: Omit<FieldError, "path">): Omit<FieldError, "path"> => ({
  code,
  message,
});

/** Refuses numbers of countries that the partner may not write to. Addresses that are no numbers have no country. */
export function checkCountry({ country }: Recipient, allowed: readonly string[] | undefined): void {
  if (allowed === undefined || country === "" || allowed.includes(country)) return;
  const message = `${country === "001" ? "a number of no country" : country} is not among the allowed countries`;
  throw new PublicError("country_not_allowed", `Nothing is sent there: ${message}.`, {
    errors: [{ path: "to", code: "country_not_allowed", message }],
  });
}

/** In the sandbox this recipient has opted out, so that a partner can try what happens. */
export function checkSuppressed({ channel }: SendMessage, { to }: Recipient, env: string): void {
  if (env === "sandbox" && magicOutcome(channel, to) === "suppressed") throw refuseSuppressed();
}

/** The refusal of a send to somebody to whom nothing is sent; the sandbox's own recipient has no period to name. */
export function refuseSuppressed(stop?: Stop): PublicError {
  const why = stop === undefined || stop.reason === "keyword" ? "opted out" : reasons[stop.reason];
  return new PublicError("recipient_suppressed", `The recipient ${why}.`, {
    errors: [{ path: "to", code: "recipient_suppressed", message: why }],
    ...(stop !== undefined && { extra: { suppression_id: stop.id } }),
  });
}
const reasons = {
  complaint: "complained",
  bounce: "could not be reached for good",
  manual: "is suppressed",
  unsubscribe: "unsubscribed",
} as const;

/** Who a message says it is from, each in the form that is stored and sent. */
type Sender = Pick<Requested, "from" | "reply_to" | "unsubscribe_url">;

function senderOf(module: ChannelModule, body: SendMessage): Sender {
  const sender: { -readonly [Key in keyof Sender]: Sender[Key] } = {};
  const errors: FieldError[] = [];
  for (const path of ["from", "reply_to", "unsubscribe_url"] as const) {
    const given = body[path];
    if (given === undefined) continue;
    const rule = path === "from" ? module.sender : module.mail?.[path];
    const found = rule?.(given);
    if (found === undefined)
      errors.push({ path, code: "not_allowed", message: `${module.noun} has none` });
    else if (found.kind === "fault") errors.push({ path, ...faultOf(found) });
    else sender[path] = found.value;
  }
  if (errors.length > 0) throw invalid(errors);
  return sender;
}

/** Refuses what no recipient could be sent: a sender that the channel does not have, a content that it does not carry, a template that cannot be filled. */
export function checkSaid(body: SendMessage, template: TemplateAt | undefined): void {
  senderOf(channelModule(body.channel), body);
  contentOf(body, template);
}

/** When something is to be sent; undefined: at once. Throws `invalid_request`. */
export function scheduleOf(body: Pick<SendMessage, "send_at">, nowMs: number): number | undefined {
  if (body.send_at === undefined) return undefined;
  const at = parseTime(body.send_at);
  if (at === undefined)
    throw invalid([
      {
        path: "send_at",
        code: "invalid_format",
        message: "must be an RFC 3339 time such as 2026-05-23T14:22:17Z",
      },
    ]);
  if (at < nowMs + scheduleMs.soonest || at > nowMs + scheduleMs.latest)
    throw invalid([
      { path: "send_at", code: "out_of_range", message: "must be 30 seconds to 180 days ahead" },
    ]);
  return at;
}

function checkMetadata({ metadata }: SendMessage): void {
  if (metadata === undefined) return;
  if (Buffer.byteLength(JSON.stringify(metadata)) <= maxMetadataBytes) return;
  const message = `may have at most ${maxMetadataBytes} bytes as JSON`;
  throw invalid([{ path: "metadata", code: "too_long", message }]);
}

/** What has no price is not free: it is not sent. */
const noPrice = (channel: string): PublicError =>
  new PublicError("no_price", `Your price list has no price for this on ${channel}.`, {
    errors: [{ path: "to", code: "no_price", message: "has no price" }],
  });

export type Accepted = {
  readonly data: Requested;
  readonly costMicros: Micros;
  /** Of its steps those that take a sender of a pool, which is to be found yet, in their order. */
  readonly asks?: readonly AsksSender[] | undefined;
};

/**
 * Decides a send: validates it by the channel's rules, renders, counts segments and prices. Pure; throws `PublicError` for a refusal.
 * `template` is the one the body names, if there is such a one.
 */
export function acceptMessage(input: {
  readonly body: SendMessage;
  readonly recipient: Recipient;
  readonly messageId: string;
  readonly template: TemplateAt | undefined;
  /** As `mediaOf` gives it. */
  readonly media?: Requested["content"]["media"];
  /** The partner's; undefined where it has none. */
  readonly prices: PriceList | undefined;
  /** Whose national tables of GSM-7 every gateway sends that may have the message. */
  readonly languages?: readonly number[];
  /** The zone of the contact that has the recipient's address, where that is known. */
  readonly contactZone?: string | undefined;
  /** It is a further step of a message: it is due at a time that nobody knows yet. */
  readonly isStep?: boolean;
  readonly nowMs: number;
}): Accepted {
  const { body, recipient, nowMs, prices } = input;
  const module = channelModule(body.channel);
  const sender = senderOf(module, body);
  const { media } = input;
  const written = contentOf(body, input.template);
  const content = { ...written.content, ...(media !== undefined && { media }) };
  const asked = scheduleOf(body, nowMs);
  checkMetadata(body);
  const { replaced } = written;
  const segments = {
    ...module.segments(content, input.languages),
    ...(replaced.length > 0 && { replaced: [...replaced] }),
  };
  const category = body.category ?? "transactional";
  const { channel } = body;
  const { digits, country } = recipient;
  const what = { channel, digits, country, segments: segments.count, category };
  const price = prices && priceFor(prices, what);
  if (price === undefined) throw noPrice(body.channel);
  const dueAt = asked ?? nowMs;
  const expiresAt = dueAt + (body.validity_seconds ?? defaultValiditySeconds) * 1000;
  const quiet = quietHoursOf(body.quiet_hours, country, input.contactZone);
  const until = quiet && putOff(quiet, { dueAt, expiresAt, isStep: input.isStep === true });
  const sendAt = until ?? asked;
  const data: Requested = {
    message_id: input.messageId,
    channel: body.channel,
    to: recipient.to,
    ...sender,
    content,
    category,
    priority: body.priority ?? 1,
    ...(sendAt !== undefined && { send_at: formatTime(sendAt) }),
    expires_at: formatTime(expiresAt),
    ...(quiet !== undefined && {
      quiet_hours: { ...quiet, ...(until !== undefined && { until: formatTime(until) }) },
    }),
    ...(body.tags !== undefined && body.tags.length > 0 && { tags: body.tags }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
    ...(body.client_ref !== undefined && { client_ref: body.client_ref }),
    cost: price.cost,
    currency: prices!.currency,
    price: price.detail,
    segments,
    created_at: formatTime(nowMs),
  };
  return { data, costMicros: price.micros };
}
