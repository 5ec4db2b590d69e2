import { z } from "zod";
import {
  createCaller,
  refusedByStatus,
  throttled,
  unanswered,
  type HttpOutcome,
  type HttpRequest,
} from "../call.ts";
import { jsonIn } from "../json-in.ts";
import type { Gateway, GatewayConfig, SendResult } from "../types.ts";
import { whatsappContent } from "./content.ts";
import { whatsappError, whatsappFailure, type WhatsappError } from "./errors.ts";
import type { WhatsappSecrets, WhatsappSettings } from "./settings.ts";

const defaultBase = "https://graph.facebook.com";
/** Of the Graph API, whose versions live for two years. */
const version = "v23.0";

const Taken = z.object({
  messages: z
    .array(
      z.object({
        id: z.string().min(1).max(200),
        message_status: z.string().max(64).catch("accepted").default("accepted"),
      }),
    )
    .nonempty(),
});
const Refused = z.object({
  error: z.object({
    code: z.int(),
    message: z.string().catch(""),
    error_data: z.object({ details: z.string().catch("") }).catch({ details: "" }),
  }),
});

/** Where the Graph API is, with its version. */
export function graphAddress({ base_url = defaultBase }: WhatsappSettings): string {
  const base = base_url.replace(/\/+$/, "");
  return /\/v\d+\.\d+$/.test(base) ? base : `${base}/${version}`;
}

/** Where the API of one number is. */
export const whatsappAddress = (settings: WhatsappSettings): string =>
  `${graphAddress(settings)}/${settings.phone_number_id}`;

/** Sends over the WhatsApp Cloud API. Connections are kept open; nothing is sent twice by itself. */
export function createWhatsappGateway({
  config,
  settings,
  secrets,
}: {
  readonly config: GatewayConfig;
  readonly settings: WhatsappSettings;
  readonly secrets: WhatsappSecrets;
}): Gateway {
  const caller = createCaller(config);
  const address = whatsappAddress(settings);
  const headers = { authorization: `Bearer ${secrets.access_token}`, accept: "application/json" };
  const asked: HttpRequest = { method: "GET", url: `${address}?fields=id`, headers };

  return {
    name: config.name,
    kind: config.kind,
    async send(attempt, signal) {
      const content = whatsappContent(attempt);
      if (typeof content === "string") {
        const error = whatsappFailure(config.name, "content_rejected", { text: content });
        return { type: "rejected", error };
      }
      const request = {
        method: "POST",
        url: `${address}/messages`,
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify(content),
      };
      return meaningOf(config.name, await caller.call(request, signal), attempt.to);
    },
    async check(signal) {
      const outcome = await caller.call(asked, signal);
      if (outcome.kind !== "answered")
        throw new Error(outcome.kind === "uncertain" ? outcome.cause : outcome.why);
      const { status, body } = outcome.answer;
      if (status !== 200) throw new Error(`${status} ${refusalIn(body)?.text ?? ""}`.trim());
    },
    close: () => caller.close(),
  };
}

function refusalIn(body: string): { readonly code: number; readonly text: string } | undefined {
  const error = Refused.safeParse(jsonIn(body)).data?.error;
  if (error === undefined) return undefined;
  const text = error.error_data.details || error.message;
  return { code: error.code, text: text.slice(0, 1_000) };
}

/** So much was sent from this number to this person that the two have to pause; others have not. */
const ofPair = 131056;

/** An answer that cannot be read says nothing: the message may be on its way. */
function meaningOf(gateway: string, outcome: HttpOutcome, to: string): SendResult {
  if (outcome.kind !== "answered")
    return unanswered(outcome, (reason, said) => whatsappFailure(gateway, reason, said));
  const { answer } = outcome;
  const { status, body } = answer;
  if (status >= 200 && status < 300) {
    const message = Taken.safeParse(jsonIn(body)).data?.messages[0];
    if (message === undefined) return { type: "uncertain", cause: "connection_lost" };
    return { type: "accepted", providerMessageId: message.id, status: message.message_status };
  }
  const refusal = refusalIn(body);
  const said = {
    code: String(refusal?.code ?? status),
    ...(refusal !== undefined && refusal.text !== "" && { text: refusal.text }),
  };
  const failure = (reason: WhatsappError) => whatsappFailure(gateway, reason, said, to);
  const known =
    refusal !== undefined && status >= 400 && status < 500
      ? whatsappError(refusal.code)
      : undefined;
  if (known === "provider_throttled")
    return throttled(answer, failure(known), refusal!.code === ofPair ? "recipient" : "gateway");
  if (known === undefined) return refusedByStatus(answer, failure, said);
  return { type: "rejected", error: failure(known) };
}
