import { callbackUrl } from "../callback-address.ts";
import { createCaller, refusedByStatus, throttled, unanswered, type HttpAnswer } from "../call.ts";
import type { Gateway, GatewayConfig, GatewayTools, SendResult } from "../types.ts";
import { configuredError, genericFailure, type GenericError } from "./errors.ts";
import { billedAs } from "../failure.ts";
import { wordAt } from "./pointer.ts";
import { renderRequest } from "./render.ts";
import { jsonIn } from "../json-in.ts";
import { type HttpSecrets, type HttpSettings } from "./settings.ts";

/** Sends one request for each message, as the configuration has it. */
export function createHttpGateway({
  config,
  settings,
  secrets,
  tools,
}: {
  readonly config: GatewayConfig;
  readonly settings: HttpSettings;
  readonly secrets: HttpSecrets;
  readonly tools: GatewayTools;
}): Gateway {
  const caller = createCaller(config);
  const callback = callbackUrl(tools.origin, tools.masterKey, config.gateway_id);
  const secret = Object.fromEntries(
    Object.entries((jsonIn(secrets.headers ?? "{}") ?? {}) as Record<string, string>).map(
      ([name, value]) => [name.toLowerCase(), value],
    ),
  );
  const word = (reason: GenericError, said: { readonly code: string; readonly text?: string }) =>
    genericFailure(config.name, reason, said);

  return {
    name: config.name,
    kind: config.kind,
    async send(attempt, signal) {
      const request = renderRequest(attempt, settings, callback);
      if (request === undefined) {
        const text = "what the message says would lead to another path of the provider's";
        return { type: "rejected", error: word("provider_rejected", { code: "path", text }) };
      }
      const headers = { ...request.headers, ...secret };
      const outcome = await caller.call({ ...request, headers }, signal);
      return outcome.kind === "answered"
        ? meaningOf(outcome.answer, settings, word)
        : unanswered(outcome, word);
    },
    close: () => caller.close(),
  };
}

/** The configured errors come first: there are providers that refuse with 200. */
function meaningOf(
  answer: HttpAnswer,
  { success, errors }: HttpSettings,
  word: (
    reason: GenericError,
    said: { readonly code: string; readonly text?: string },
  ) => ReturnType<typeof genericFailure>,
): SendResult {
  const said = { code: String(answer.status) };
  const { reason, isBillable = false } = configuredError(answer, errors) ?? {};
  if (reason === "provider_throttled") return throttled(answer, word(reason, said), "gateway");
  if (reason !== undefined)
    return { type: "rejected", error: billedAs(word(reason, said), isBillable) };
  if (!isSuccess(answer.status, success.status)) return refusedByStatus(answer, word, said);
  const id = wordAt(jsonIn(answer.body), success.id);
  // It was taken by its status, and nothing can ever be heard of it: only a look at the provider tells.
  return id === undefined
    ? { type: "uncertain", cause: "connection_lost" }
    : { type: "accepted", providerMessageId: id, status: said.code };
}

function isSuccess(status: number, wanted: HttpSettings["success"]["status"]): boolean {
  if (wanted === "2xx") return status >= 200 && status < 300;
  return typeof wanted === "number" ? status === wanted : wanted.includes(status);
}
