import {
  type Answer,
  type BodyHold,
  type Call,
  FailedTries,
  type Route,
  dialAs,
  originOf,
  route,
} from "@heliograph/api";
import { PublicError, environments } from "@heliograph/contracts";
import {
  type CallbackRequest,
  isCallbackToken,
  maxCallbackBytes,
  recordCallback,
  takesCallbacks,
  verifyCallback,
} from "@heliograph/gateways";
import { z } from "zod";
import { createAsk } from "../asked/ask.ts";
import { createGet } from "../asked/get.ts";
import { countCallback } from "../metrics.ts";
import { ReportTurns } from "./report-turns.ts";

const tries = new FailedTries();
/** Of the process: whatever environment a report is of, it is the same processor's time. */
export const turns = new ReportTurns();

/** How long a connection to a provider may take. */
const dialMs = 3_000;
/** A process has one for each of its platforms, which it asks by. */
const asks = new WeakMap<object, ReturnType<typeof createAsk>>();
function askOf({ settings }: CallbackCall["context"]): ReturnType<typeof createAsk> {
  const known = asks.get(settings) ?? createAsk(createGet(dialAs(settings, {}, dialMs)));
  asks.set(settings, known);
  return known;
}

const Path = z.object({
  gateway: z.string().max(64).meta({ description: "The gateway whose provider calls." }),
  token: z.string().max(64).meta({ description: "What makes the address unguessable." }),
});
type CallbackCall = Call<unknown, unknown, z.infer<typeof Path>>;

/** The gateway of an address that is whole. Whatever is wrong with it, there is nothing. */
function gatewayOf({ context, params }: CallbackCall) {
  const gateway = environments
    .flatMap((environment) => context.directory.gateways(environment))
    .find(({ gateway_id }) => gateway_id === params.gateway);
  const known = isCallbackToken(context.masterKey, params.gateway, params.token);
  if (!known || gateway === undefined || !takesCallbacks(gateway))
    throw new PublicError("not_found", "There is nothing at this address.");
  return gateway;
}

async function bodyOf(call: CallbackCall, hold: BodyHold): Promise<Buffer> {
  if (call.request.method === "GET") return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  for await (const chunk of call.chunks()) {
    hold.grow(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** As the provider called it: what stands before the path is ours to know, because a proxy changes it. */
const requestOf = (call: CallbackCall, body: Buffer): CallbackRequest => ({
  method: call.request.method,
  url: originOf(call.request, call.context.settings) + call.request.url,
  headers: Object.fromEntries(
    Object.entries(call.request.headers).map(([name, value]) => [name, String(value)]),
  ),
  body,
});

/** Verifies it, stores it as it came and answers; what it means is found out afterwards. */
async function receive(call: CallbackCall): Promise<Answer> {
  const gateway = gatewayOf(call);
  const hold = turns.hold(gateway.gateway_id);
  try {
    return await take(call, gateway, requestOf(call, await bodyOf(call, hold)));
  } finally {
    hold.release();
  }
}

async function take(
  call: CallbackCall,
  gateway: ReturnType<typeof gatewayOf>,
  request: CallbackRequest,
): Promise<Answer> {
  const { environment, kind } = gateway;
  const { verdict: first, answer } = verifyCallback(gateway, request, call.context.masterKey);
  const verdict = await askOf(call.context)(first);
  countCallback(environment, kind, verdict.kind);
  if (verdict.kind === "forged") {
    const forged = new PublicError("invalid_signature", "The provider did not sign this.");
    throw tries.refusal(forged, call.ip);
  }
  if (verdict.kind === "unsure") {
    const { why } = verdict;
    call.context.logger.warn({ gateway: gateway.name, why }, "A provider could not be asked");
    return { status: 503, body: "", headers: { "content-type": "text/plain" } };
  }
  if (verdict.kind === "handshake") return answered(verdict.answer);
  if (request.method === "GET")
    throw new PublicError("method_not_allowed", "Callbacks are posted.");
  const { url, headers, body } = request;
  const deps = call.context.environments[environment];
  await turns.run(gateway.gateway_id, async (crowded) => {
    // Before a send has to: a storm of reports waits at its providers, and not in front of what people send.
    await deps.pressure?.(true);
    await recordCallback(deps, {
      gateway,
      url,
      headers,
      contentType: headers["content-type"] ?? "application/octet-stream",
      body,
      receivedAt: new Date().toISOString(),
      crowded,
    });
  });
  return answered(answer);
}

const answered = ({
  status,
  contentType = "text/plain",
  body = "",
}: ReturnType<typeof verifyCallback>["answer"]): Answer => ({
  status,
  body,
  headers: { "content-type": contentType },
});

const about = {
  path: "/callbacks/:gateway/:token",
  scope: "public",
  params: Path,
  // Every parameter is the provider's, and part of what it signs.
  query: z.looseObject({}),
  response: z.string().meta({ description: "What the provider wants to hear." }),
  contentType: ["text/plain", "text/xml", "application/json"],
  errors: ["not_found", "invalid_signature", "rate_limited", "overloaded", "log_unavailable"],
  audit: "never",
  handler: receive,
} as const;

export const callbackRoutes: readonly Route[] = [
  route({
    ...about,
    method: "POST",
    summary:
      "What a gateway's provider tells by itself: stored as it came, once it is known to be the provider's",
    streams: ["*/*"],
    maxBodyBytes: maxCallbackBytes,
  }),
  route({
    ...about,
    method: "GET",
    summary: "A provider's question whether somebody is there, where it asks one",
  }),
];
