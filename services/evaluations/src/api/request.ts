import { parseEmail } from "@heliograph/channels";
import { deterministicId, type EventData, newId, streamOf, uuid5 } from "@heliograph/contracts";
import {
  type Answer,
  appendOne,
  type Call,
  fingerprint,
  replayedHeader,
  type Route,
  route,
} from "@heliograph/api";
import { operator } from "@heliograph/platform";
import type { z } from "zod";
import { afterBusinessTime, businessDayMs } from "../business-time.ts";
import { renderingOf, usedForm } from "./form.ts";
import { takeTurn } from "./turns.ts";
import { RequestEvaluation, RequestedEvaluation } from "./schema.ts";

/**
 * Takes a request. Whether an address has asked before, or is an agent's, changes nothing here, neither the answer nor the work: the reactor finds out, and mail tells whoever has the
 * address.
 */
async function request(call: Call<z.infer<typeof RequestEvaluation>, unknown>): Promise<Answer> {
  const { context, body, idempotencyKey: key } = call;
  const rendering = body.form && renderingOf(call, body.form);
  await takeTurn(context.platformPool, call.ip);
  const { vault } = context.environments.live;
  const email = parseEmail(body.email.trim())!.address;
  const address = vault.name("evaluation", email.normalize("NFKC").toLowerCase());
  const id = idOf(address, rendering, key);
  const once = rendering !== undefined || key !== undefined;
  const seal = await vault.seal({ partner: operator.partner_id, subject: id });
  const { company, name, use_case, website, expected_volume } = body;
  const now = Date.now();
  const { business } = context.settings;
  const data: EventData<"EvaluationRequested"> = {
    evaluation_id: id,
    company,
    name: seal(name),
    email: seal(email),
    use_case: seal(use_case),
    ...(website !== undefined && { website }),
    ...(expected_volume !== undefined && { expected_volume: String(expected_volume) }),
    address,
    requested_at: new Date(now).toISOString(),
    promised_by: new Date(afterBusinessTime(business, now, businessDayMs(business))).toISOString(),
  };
  // A plain hash of it is found by trying.
  const print = vault.name("request", fingerprint(call.routeName, body));
  const metadata = call.metadata({
    partner: operator.partner_id,
    correlation: id,
    ...(once && { fingerprint: print }),
  });
  call.fingerprint = print;
  const stored = await appendOne(context.platformLog, {
    stream: streamOf("evaluation", id),
    expected: "no_stream",
    events: [
      { id: uuid5("evaluation requested", id), type: "EvaluationRequested", data, metadata },
    ],
  }).catch((error: unknown) => {
    throw rendering === undefined ? error : usedForm(error);
  });
  if (stored === undefined) throw new Error(`${id} was begun by something else`);
  const repeated = key !== undefined && stored.kind === "duplicate";
  return {
    status: 202,
    body: { id, status: "requested" },
    position: stored.position,
    ...(repeated && { headers: replayedHeader }),
  };
}

/** A form's rendering makes one evaluation. Strangers do not make up their keys together: a key is that of an address. */
function idOf(address: string, rendering: string | undefined, key: string | undefined): string {
  if (rendering !== undefined) return deterministicId("evl", "form", rendering);
  return key === undefined ? newId("evl") : deterministicId("evl", address, key);
}

export const requestRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/evaluations",
    scope: "public",
    summary: "Ask for an evaluation; the answer is the same for every address",
    mutates: true,
    idempotency: "own",
    status: 202,
    body: RequestEvaluation,
    response: RequestedEvaluation,
    errors: [
      "invalid_request",
      "malformed_json",
      "rate_limited",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: request,
  }),
];
