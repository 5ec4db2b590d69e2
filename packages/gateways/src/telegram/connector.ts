import {
  createCaller,
  maxRetryAfterMs,
  refusedByStatus,
  throttled,
  unanswered,
  type HttpOutcome,
} from "../call.ts";
import type { Attempt, Gateway, GatewayConfig, GatewayTools, SendResult } from "../types.ts";
import { readAnswer } from "./answer.ts";
import { telegramCall, type TelegramCall } from "./content.ts";
import { telegramError, telegramFailure, type TelegramError } from "./errors.ts";
import type { TelegramSecrets, TelegramSettings } from "./settings.ts";

const defaultBase = "https://api.telegram.org";

/** Where the Bot API is, without the token. */
export const telegramBase = ({ base_url = defaultBase }: TelegramSettings): string =>
  base_url.replace(/\/+$/, "");

type Parts = {
  readonly config: GatewayConfig;
  readonly settings: TelegramSettings;
  readonly secrets: TelegramSecrets;
  readonly tools: GatewayTools;
};

/** Sends over the Bot API. Connections are kept open; nothing is sent twice by itself, but to a chat that has moved, which refused the first call. */
export function createTelegramGateway({ config, settings, secrets, tools }: Parts): Gateway {
  const caller = createCaller(config);
  const base = `${telegramBase(settings)}/bot${secrets.bot_token}`;
  const post = ({ method, parameters }: TelegramCall, signal: AbortSignal): Promise<HttpOutcome> =>
    caller.call(
      {
        method: "POST",
        url: `${base}/${method}`,
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(parameters),
      },
      signal,
    );

  async function send(attempt: Attempt, signal: AbortSignal): Promise<SendResult> {
    const call = telegramCall(attempt);
    if (typeof call === "string") {
      const error = telegramFailure(config.name, "content_rejected", { text: call });
      return { type: "rejected", error };
    }
    const outcome = await post(call, signal);
    const answer = outcome.kind === "answered" ? readAnswer(outcome.answer.body) : undefined;
    if (answer?.type !== "refused" || answer.movedTo === undefined)
      return meaningOf(config.name, outcome, attempt.to);
    const stopped = await stoppedThere(tools, attempt, answer.movedTo, signal);
    if (stopped !== undefined) {
      const error = telegramFailure(config.name, stopped, { text: answer.description });
      return { type: "rejected", error };
    }
    const parameters = { ...call.parameters, chat_id: answer.movedTo };
    const again = await post({ ...call, parameters }, signal);
    return meaningOf(config.name, again, String(answer.movedTo));
  }
  return {
    name: config.name,
    kind: config.kind,
    send,
    async check(signal) {
      const outcome = await post({ method: "getMe", parameters: {} }, signal);
      if (outcome.kind !== "answered")
        throw new Error(outcome.kind === "uncertain" ? outcome.cause : outcome.why);
      const { status, body } = outcome.answer;
      if (status === 200) return;
      const answer = readAnswer(body);
      const words = answer.type === "refused" ? answer.description : "";
      throw new Error(`${status} ${words}`.trim());
    },
    close: () => caller.close(),
  };
}

/** Why a chat is not written to where it is now; undefined where it may be. The call's time bounds the question, too. */
async function stoppedThere(
  { onMoved, logger }: GatewayTools,
  attempt: Attempt,
  to: number,
  signal: AbortSignal,
): Promise<TelegramError | undefined> {
  if (onMoved === undefined) return undefined;
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  const asked = onMoved(attempt, String(to)).catch((error: unknown) => {
    const about = { message: attempt.messageId, err: error };
    logger.info(about, "whether a chat that has moved may be written to is not known");
    return undefined;
  });
  const may = await Promise.race([asked, over]);
  signal.removeEventListener("abort", end);
  if (may === undefined) return "recipient_moved";
  return may ? undefined : "recipient_suppressed";
}

/** An answer that cannot be read says nothing: the message may be on its way. */
function meaningOf(gateway: string, outcome: HttpOutcome, to: string): SendResult {
  if (outcome.kind !== "answered")
    return unanswered(outcome, (reason, said) => telegramFailure(gateway, reason, said));
  const { status, headers, body } = outcome.answer;
  const answer = readAnswer(body);
  if (answer.type === "taken")
    return { type: "accepted", providerMessageId: answer.id, status: "sent" };
  const description = answer.type === "refused" ? answer.description : "";
  const said = { code: String(status), ...(description !== "" && { text: description }) };
  const failure = (reason: TelegramError) => telegramFailure(gateway, reason, said, to);
  // Limits are those of a chat, or of the bot, and the answer is the same.
  if (answer.type === "refused" && answer.retryAfterSeconds !== undefined) {
    const retryAfterMs = Math.min(answer.retryAfterSeconds * 1_000, maxRetryAfterMs);
    const error = failure("provider_throttled");
    return { type: "unavailable", error, retryAfterMs, throttles: "unknown" };
  }
  if (status === 429) return throttled({ headers }, failure("provider_throttled"), "unknown");
  // What is forbidden is forbidden in that chat.
  const known =
    telegramError(description) ?? (status === 403 ? "recipient_unreachable" : undefined);
  if (known !== undefined && status >= 400 && status < 500)
    return { type: "rejected", error: failure(known) };
  // The token stands in the path: where nothing is, it is not one.
  return refusedByStatus({ status: status === 404 ? 401 : status, headers, body }, failure, said);
}
