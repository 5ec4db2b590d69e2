import { randomUUID } from "node:crypto";
import { deterministicId, type Environment, PublicError, streamOf } from "@heliograph/contracts";
import { isSealed } from "@heliograph/vault";
import { type Wire, toWire } from "./answer.ts";
import type { Metadata } from "@heliograph/log";
import type { Call } from "./call.ts";
import { openedFromAll, sealedForAll } from "./concerned.ts";
import { fingerprint } from "./canonical.ts";
import type { Answer, Route } from "./route.ts";
import { open, seal } from "./seal.ts";
import { noteClaim } from "./look-ups.ts";
import { claim, giveBack, keep, settle } from "./tables/idempotency.ts";

/** Longer than any handler runs; a crashed first try frees its key after this. */
const leaseSeconds = 30;
/** What an answer to a repetition has, of routes that recognise one by themselves. */
export const replayedHeader = { "Idempotent-Replayed": "true" } as const;
const replayed = Object.entries(replayedHeader).flat();

/**
 * Runs the handler once for its key. The same request again gets the first answer byte for byte, another request with the key
 * `idempotency_key_reused`, and one that comes while the first runs `idempotency_in_progress`. A refused request leaves no claim. When the
 * stored answer is gone the events still hold the fingerprint: `requireSameRequest` compares it wherever the first request is recognised.
 */
export async function runOnce(route: Route, call: Call): Promise<Wire> {
  const { pool } = call.deps;
  const partner = call.partner.partner_id;
  const key = call.idempotencyKey!;
  const token = randomUUID();
  const own = fingerprint(`${route.method} ${call.request.url}`, call.body);
  const place = placeOfAnswer(call.env, partner, key);
  // A hash of a phone number is found by trying: until it is known whose data it is, only a name that takes the environment's key to make is kept.
  const name = call.deps.vault.name("request", own);
  const claimed = await claim(pool, {
    partner,
    key,
    fingerprint: name,
    earlier: own,
    requestId: call.requestId,
    token,
    leaseSeconds,
  });
  if (claimed.kind === "taken") {
    const { print, answer } = await opened(call, claimed);
    // Plain: kept by a release that hashed only.
    if (print !== name && print !== own) throw keyReused(claimed.requestId);
    if (!claimed.done || answer === null) throw inProgress(claimed.leaseMs);
    return unpack(open(call.context.masterKey, place, answer));
  }
  noteClaim(pool, partner);
  call.fingerprint = own;
  call.unfinished = claimed.unfinished;
  let wire: Wire;
  try {
    if (!claimed.unfinished) await refuseMessagesKey(route, call);
    wire = toWire(await route.handler(call));
  } catch (error) {
    // When even this fails the lease runs out by itself.
    const forget = claimsNothing(error, claimed.unfinished);
    await giveBack(pool, partner, key, token, forget).catch((cause: unknown) =>
      call.context.logger.warn({ err: cause }, "claim not given back"),
    );
    throw error;
  }
  // The effect is durable by now. Without the stored answer a retry runs again, with the same derived ids, to the same effect.
  await sealed(call, name, seal(call.context.masterKey, place, pack(wire)))
    .then(({ print, answer }) => keep(pool, partner, key, token, print, answer))
    .catch((cause: unknown) => call.context.logger.warn({ err: cause }, "answer not kept"));
  return wire;
}

/**
 * Runs a handler that recognises its own repetitions, and keeps its key from calls to other addresses; of `items` from other bodies too. Throws `idempotency_key_reused` where another call has the key.
 */
export async function runApart(route: Route, call: Call): Promise<Answer> {
  const { pool, vault } = call.deps;
  const partner = call.partner.partner_id;
  const key = call.idempotencyKey!;
  const token = randomUUID();
  const isWhole = route.idempotency === "items";
  // Without the query: its order says nothing, and what it asks for the handler compares.
  const path = call.request.url!.split("?", 1)[0]!;
  const own = fingerprint(`${route.method} ${path}`, isWhole ? call.body : undefined);
  const name = vault.name("request", own);
  const row = { partner, key, fingerprint: name, requestId: call.requestId, token };
  const claimed = await claim(pool, { ...row, earlier: own, leaseSeconds });
  if (claimed.kind === "taken") {
    const { print } = await opened(call, claimed);
    if (print !== name) throw keyReused(claimed.requestId);
    const answer = await route.handler(call);
    // The try that has the claim may have come to nothing, and forget it.
    if (!claimed.done && !answer.claimsNoKey)
      await settle(pool, row).catch((cause: unknown) =>
        call.context.logger.warn({ err: cause }, "claim not kept"),
      );
    return answer;
  }
  noteClaim(pool, partner);
  const giveItBack = (forget: boolean): Promise<void> =>
    giveBack(pool, partner, key, token, forget).catch((cause: unknown) =>
      call.context.logger.warn({ err: cause }, "claim not given back"),
    );
  let answer: Answer;
  try {
    if (!claimed.unfinished) await refuseMessagesKey(route, call);
    answer = await route.handler(call);
  } catch (error) {
    await giveItBack(claimsNothing(error, claimed.unfinished));
    throw error;
  }
  if (answer.claimsNoKey) await giveItBack(!claimed.unfinished);
  else
    await keep(pool, partner, key, token, name, null).catch((cause: unknown) =>
      call.context.logger.warn({ err: cause }, "claim not kept"),
    );
  return answer;
}

/** Whether it is known that nothing came of a request: of an earlier try it is not, nor of one that runs beside it. */
const claimsNothing = (error: unknown, unfinished: boolean): boolean =>
  error instanceof PublicError &&
  error.status < 500 &&
  error.code !== "idempotency_in_progress" &&
  !unfinished;

/** The message that a key makes, or one of the names of an item without a key of its own. */
export const messageOfKey = (
  environment: Environment,
  partner: string,
  keyParts: readonly string[],
): string => deterministicId("msg", environment, partner, ...keyParts);

/** Throws `idempotency_key_reused` where a message has the key, however long ago, unless the call repeats one from before keys were kept apart, or whose claim is dropped. */
async function refuseMessagesKey(route: Route, call: Call): Promise<void> {
  const id = messageOfKey(call.env, call.partner.partner_id, [call.idempotencyKey!]);
  const [first] = await call.deps.log.readStream(streamOf("message", id), { limit: 1 });
  if (first !== undefined && !(await route.repeats?.(call))) throw keyReused(id);
}

/** What an answer is sealed for: it cannot be opened in another row. */
export const placeOfAnswer = (environment: Environment, partner: string, key: string): string =>
  `idempotency ${environment} ${partner} ${key}`;

/** What is kept of an answer goes with each of those whose data it holds. */
async function sealed(
  call: Call,
  print: string,
  answer: Buffer,
): Promise<{ readonly print: string; readonly answer: Buffer }> {
  if (call.concerned.length === 0) return { print, answer };
  const under = await sealedForAll(call);
  return { print: under(print), answer: Buffer.from(under(answer.toString("base64"))) };
}

/** Takes back what `sealed` made. Throws `contact_erased`. */
async function opened(
  call: Call,
  { fingerprint: print, answer }: { readonly fingerprint: string; readonly answer: Buffer | null },
): Promise<{ readonly print: string; readonly answer: Buffer | null }> {
  if (!isSealed(print)) return { print, answer };
  const texts = await openedFromAll(call, [print, answer?.toString() ?? ""]);
  return { print: texts[0]!, answer: Buffer.from(texts[1]!, "base64") };
}

/** `original` names the first request: a message's id, or a request id. */
export const keyReused = (original: string): PublicError =>
  new PublicError(
    "idempotency_key_reused",
    `The idempotency key belongs to another request: ${original}.`,
    { extra: { original } },
  );

/**
 * Refuses a request whose key once made this event for another one. Events from before fingerprints were kept have none, and nothing to compare.
 * Throws `idempotency_key_reused`.
 */
export function requireSameRequest(
  first: { readonly metadata: Metadata },
  fingerprint: string | undefined,
): void {
  const known = first.metadata.fingerprint;
  if (known !== undefined && known !== fingerprint)
    throw keyReused(first.metadata.request_id ?? "an earlier one");
}

export function inProgress(afterMs = 1_000): PublicError {
  const retryAfterSeconds = Math.max(1, Math.ceil(Math.min(afterMs, 5_000) / 1000));
  return new PublicError(
    "idempotency_in_progress",
    "The first request with this idempotency key is still running.",
    { retryAfterSeconds, extra: { retry_after_seconds: retryAfterSeconds } },
  );
}

function pack(wire: Wire): Buffer {
  const body = wire.body === undefined ? null : Buffer.from(wire.body).toString("base64");
  return Buffer.from(JSON.stringify({ status: wire.status, headers: wire.headers, body }));
}

function unpack(bytes: Buffer): Wire {
  const { status, headers, body } = JSON.parse(bytes.toString()) as {
    status: number;
    headers: string[];
    body: string | null;
  };
  return {
    status,
    headers: [...headers, ...replayed],
    body: body === null ? undefined : Buffer.from(body, "base64"),
  };
}
