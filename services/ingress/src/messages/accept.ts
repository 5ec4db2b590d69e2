import { type EventData, type FieldError, type Micros, PublicError } from "@heliograph/contracts";
import {
  type PriceList,
  type TemplateAt,
  formatTime,
  parseEmail,
  parsePhone,
  parseTime,
  priceFor,
  renderTemplate,
  segmentsOf,
} from "@heliograph/domain";
import type { SendMessage } from "./schema.ts";

type Requested = EventData<"MessageRequested">;
type Content = Requested["content"];
export type Recipient = {
  readonly to: string;
  readonly digits: string;
  readonly country: string;
  readonly magic: string;
};

const minute = 60_000;
const day = 24 * 60 * minute;
const scheduleMs = { soonest: 30_000, latest: 180 * day };
const defaultValiditySeconds = 172_800;
const maxMetadataBytes = 2_048;
/** Ten concatenated SMS (1,530 septets) is what networks carry reliably; WhatsApp's own limit is 4,096. */
const maxTextLength = { sms: 1_600, whatsapp: 4_096, email: 100_000 } as const;

/** The channels that can be sent on in this version. */
type Enabled = keyof typeof maxTextLength;
const isEnabled = (channel: string): channel is Enabled => Object.hasOwn(maxTextLength, channel);

const invalid = (path: string, code: string, message: string): PublicError =>
  new PublicError("invalid_request", `${path}: ${message}`, { errors: [{ path, code, message }] });

/** Refuses what this version cannot do yet, naming the field, before anything else is looked at. */
export function checkAvailable(body: SendMessage): void {
  for (const field of ["failover", "quiet_hours", "media", "contact_id"] as const)
    if (body[field] !== undefined)
      throw new PublicError("feature_not_available", `${field} is not available yet.`, {
        errors: [{ path: field, code: "feature_not_available", message: "not available yet" }],
      });
  if (!isEnabled(body.channel)) throw channelNotEnabled(body.channel);
}

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
  if (body.channel === "email") {
    const email = parseEmail(body.to);
    if (email === undefined) throw invalid("to", "invalid_email", "must be an e-mail address");
    return { to: email.address, digits: "", country: "", magic: email.local };
  }
  const phone = parsePhone(body.to);
  if (phone === undefined)
    throw invalid(
      "to",
      "invalid_phone",
      "must be a phone number in E.164 form, such as +15551234567",
    );
  return {
    to: phone.e164,
    digits: phone.digits,
    country: phone.country,
    magic: phone.digits.slice(-4),
  };
}

/** In the sandbox this recipient has opted out, so that a partner can try what happens. */
export function checkSuppressed(recipient: Recipient, environment: string): void {
  if (environment === "sandbox" && (recipient.magic === "0011" || recipient.magic === "suppressed"))
    throw new PublicError("recipient_suppressed", "The recipient opted out.", {
      errors: [{ path: "to", code: "recipient_suppressed", message: "opted out" }],
    });
}

const senderName = /^(?:[A-Za-z0-9][A-Za-z0-9 ._-]{0,10}|\+?[0-9]{3,15})$/;

function checkSender(body: SendMessage): void {
  if (body.from === undefined) return;
  if (body.channel === "email" ? parseEmail(body.from) === undefined : !senderName.test(body.from))
    throw invalid(
      "from",
      "invalid_sender",
      body.channel === "email"
        ? "must be an e-mail address"
        : "must be a number or a name of at most 11 letters and digits",
    );
}

/** The slug, version and behaviour of the template a send names; undefined when it names none. */
export function templateRefOf(body: SendMessage):
  | {
      slug: string;
      version?: number | undefined;
      on_missing_language?: "error" | "default" | undefined;
    }
  | undefined {
  return typeof body.template === "string" ? { slug: body.template } : body.template;
}

const templateNotFound = (path: string, detail: string): PublicError =>
  new PublicError("template_not_found", detail, {
    errors: [{ path, code: "template_not_found", message: detail }],
  });

function fromTemplate(body: SendMessage, template: TemplateAt | undefined): Content {
  const ref = templateRefOf(body)!;
  if (template === undefined)
    throw templateNotFound(
      "template",
      `There is no template ${ref.slug}${ref.version === undefined ? "" : ` version ${ref.version}`} on ${body.channel}.`,
    );
  const rendered = renderTemplate(
    template.version,
    body.language,
    body.variables ?? {},
    ref.on_missing_language,
  );
  switch (rendered.kind) {
    case "language_missing":
      throw templateNotFound(
        "language",
        `The template ${ref.slug} has no language ${rendered.language}; it has ${rendered.available.join(", ")}.`,
      );
    case "invalid":
      throw new PublicError(
        "template_variables_invalid",
        rendered.errors.map((error) => error.message).join("; "),
        { errors: rendered.errors },
      );
    case "rendered": {
      const { text, subject, html } = rendered;
      return {
        ...(text !== undefined && { text }),
        ...(html !== undefined && { html }),
        ...(subject !== undefined && { subject }),
        template: {
          id: template.id,
          slug: template.slug,
          version: template.number,
          language: rendered.language,
          variables: rendered.variables,
        },
      };
    }
    default:
      return rendered satisfies never;
  }
}

function written(body: SendMessage): Content {
  const { channel, text, html, subject } = body;
  const errors: FieldError[] = [];
  if (channel === "email") {
    if (text === undefined && html === undefined)
      errors.push({
        path: "html",
        code: "required",
        message: "an e-mail needs html, text or a template",
      });
    if (subject === undefined)
      errors.push({ path: "subject", code: "required", message: "an e-mail needs a subject" });
  } else {
    if (text === undefined)
      errors.push({ path: "text", code: "required", message: "needs text or a template" });
    for (const path of ["html", "subject"] as const)
      if (body[path] !== undefined)
        errors.push({ path, code: "not_allowed", message: `${channel} has no ${path}` });
  }
  for (const path of ["language", "variables"] as const)
    if (body[path] !== undefined)
      errors.push({ path, code: "not_allowed", message: "belongs to a template" });
  if (errors.length > 0)
    throw new PublicError(
      "invalid_request",
      errors.map((error) => `${error.path}: ${error.message}`).join("; "),
      { errors },
    );
  return {
    ...(text !== undefined && { text }),
    ...(html !== undefined && { html }),
    ...(subject !== undefined && { subject }),
  };
}

function contentOf(body: SendMessage, template: TemplateAt | undefined): Content {
  if (body.template !== undefined)
    for (const path of ["text", "html", "subject"] as const)
      if (body[path] !== undefined) throw invalid(path, "not_allowed", "stands in the template");
  const content = body.template === undefined ? written(body) : fromTemplate(body, template);
  if (content.subject !== undefined && /[\r\n]/.test(content.subject))
    throw invalid("subject", "line_break", "may not contain a line break");
  const most = maxTextLength[body.channel as Enabled];
  if (content.text !== undefined && content.text.length > most)
    throw invalid("text", "too_long", `may have at most ${most} characters on ${body.channel}`);
  return content;
}

function scheduleOf(body: SendMessage, nowMs: number): number | undefined {
  if (body.send_at === undefined) return undefined;
  const at = parseTime(body.send_at);
  if (at === undefined)
    throw invalid(
      "send_at",
      "invalid_format",
      "must be an RFC 3339 time such as 2026-05-23T14:22:17Z",
    );
  if (at < nowMs + scheduleMs.soonest || at > nowMs + scheduleMs.latest)
    throw invalid("send_at", "out_of_range", "must be 30 seconds to 180 days ahead");
  return at;
}

export type Accepted = { readonly data: Requested; readonly costMicros: Micros };

/**
 * Decides a send: validates it by the channel's rules, renders, counts segments and prices. Pure; throws `PublicError` for a refusal.
 * `template` is the one the body names, if there is such a one.
 */
export function acceptMessage(input: {
  readonly body: SendMessage;
  readonly recipient: Recipient;
  readonly messageId: string;
  readonly template: TemplateAt | undefined;
  readonly prices: PriceList;
  readonly partnerCurrency: string;
  readonly nowMs: number;
}): Accepted {
  const { body, recipient, nowMs, prices } = input;
  checkSender(body);
  const content = contentOf(body, input.template);
  const sendAt = scheduleOf(body, nowMs);
  if (
    body.metadata !== undefined &&
    Buffer.byteLength(JSON.stringify(body.metadata)) > maxMetadataBytes
  )
    throw invalid("metadata", "too_long", `may have at most ${maxMetadataBytes} bytes as JSON`);
  const segments = segmentsOf(body.channel, content.text ?? content.html ?? "");
  if (prices.currency !== input.partnerCurrency)
    throw channelNotEnabled(body.channel, `There are no prices in ${input.partnerCurrency}.`);
  const price = priceFor(prices, body.channel, recipient.digits, recipient.country, segments.count);
  if (price === undefined)
    throw channelNotEnabled(body.channel, `There is no price for ${body.channel}.`);
  const expiresAt = (sendAt ?? nowMs) + (body.validity_seconds ?? defaultValiditySeconds) * 1000;
  const data: Requested = {
    message_id: input.messageId,
    channel: body.channel,
    to: recipient.to,
    ...(body.from !== undefined && { from: body.from }),
    content,
    category: body.category ?? "transactional",
    priority: body.priority ?? 1,
    ...(sendAt !== undefined && { send_at: formatTime(sendAt) }),
    expires_at: formatTime(expiresAt),
    ...(body.tags !== undefined && body.tags.length > 0 && { tags: body.tags }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
    ...(body.client_ref !== undefined && { client_ref: body.client_ref }),
    cost: price.cost,
    currency: prices.currency,
    price: price.detail,
    segments,
    created_at: formatTime(nowMs),
  };
  return { data, costMicros: price.micros };
}
