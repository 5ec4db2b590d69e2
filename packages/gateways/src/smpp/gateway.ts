import type { Attempt, Gateway, SendResult } from "../types.ts";
import { smppFailure, smppErrors, statusMeaning } from "./errors.ts";
import { answeredId, joinIds } from "./ids.ts";
import type { Link } from "./link.ts";
import { openLinks, type SmppParts, tryBind } from "./links.ts";
import { Pool, type Place } from "./pool.ts";
import { createUnfinished, type Part, type Progress, type Unfinished } from "./progress.ts";
import type { Outcome } from "./session.ts";

/** A message that is throttled for longer goes elsewhere, or waits where waiting costs nothing. */
const longestPatienceMs = 10_000;

/** What became of one submit. */
type PartResult =
  | { readonly type: "taken" }
  | { readonly type: "refused"; readonly status: number }
  | { readonly type: "throttled"; readonly status: number }
  | { readonly type: "unknown"; readonly cause: "timeout" | "connection_lost" }
  | Exclude<Place, { readonly type: "link" }>;

/** Sends SMS to a message centre by SMPP 3.4, over binds that it keeps. */
export function createSmppGateway(parts: SmppParts): Gateway {
  const { config, settings } = parts;
  const pool = new Pool((events) => openLinks(parts, events));
  const unfinished = createUnfinished(settings);
  const sender = new Sender(parts, pool, unfinished);
  return {
    name: config.name,
    kind: config.kind,
    send: (attempt, signal) => sender.send(attempt, signal),
    listen: () => pool.start(),
    check: (signal) => tryBind(parts, signal),
    close: () => pool.close(),
  };
}

class Sender {
  readonly #parts: SmppParts;
  readonly #pool: Pool;
  readonly #unfinished: Unfinished;

  constructor(parts: SmppParts, pool: Pool, unfinished: Unfinished) {
    this.#parts = parts;
    this.#pool = pool;
    this.#unfinished = unfinished;
  }

  async send(attempt: Attempt, signal: AbortSignal): Promise<SendResult> {
    const { name } = this.#parts.config;
    if (signal.aborted) return overdue(name);
    const progress = this.#unfinished.of(attempt);
    const open = progress.parts.filter(({ id }) => id === undefined);
    // What is wrong with the first is wrong with all: then the others are not sent.
    const results = open.length === 0 ? [] : [await this.#sendPart(progress, open[0]!, signal)];
    if (results.every(({ type }) => type === "taken"))
      results.push(
        ...(await Promise.all(open.slice(1).map((part) => this.#sendPart(progress, part, signal)))),
      );
    return this.#conclude(progress, results);
  }

  /** Until it is taken, refused, or the caller gives up; a part that is throttled is sent again once its connection may. */
  async #sendPart(progress: Progress, part: Part, signal: AbortSignal): Promise<PartResult> {
    const { config } = this.#parts;
    const patienceMs = Math.min(longestPatienceMs, config.timeout_ms * 0.75);
    const begun = performance.now();
    for (;;) {
      const place = await this.#pool.place(signal);
      if (place.type !== "link") return place;
      const outcome = await this.#submit(progress, part, place.link, signal);
      switch (outcome.type) {
        case "unsent":
          continue;
        case "silent":
          return { type: "unknown", cause: "timeout" };
        case "lost":
          return { type: "unknown", cause: "connection_lost" };
        case "answered": {
          const { status } = outcome;
          if (status === 0) return { type: "taken" };
          if (statusMeaning(status).code !== "provider_throttled")
            return { type: "refused", status };
          if (performance.now() - begun > patienceMs) return { type: "throttled", status };
          continue;
        }
        default:
          return outcome satisfies never;
      }
    }
  }

  async #submit(progress: Progress, part: Part, link: Link, signal: AbortSignal) {
    const { config, settings } = this.#parts;
    const heard = (outcome: Outcome | { readonly type: "unsent" }): void => {
      if (outcome.type !== "answered" || outcome.status !== 0) return;
      // Some centres give no id where nobody can ask for it later.
      const given = answeredId(outcome.messageId, settings.receipt_id ?? "as_is");
      part.id ??= given === "" ? progress.attemptId : given;
      if (progress.uncertain) this.#settleLate(progress);
    };
    const answered = link.submit(part.submit, config.timeout_ms, heard);
    const outcome = await unlessAborted(answered, signal);
    if (outcome !== undefined) heard(outcome);
    // Nobody waits for it any more; it may be answered all the same.
    else void answered.then(heard);
    return outcome ?? ({ type: "silent" } as const);
  }

  #conclude(progress: Progress, results: readonly PartResult[]): SendResult {
    const { name } = this.#parts.config;
    const ids = progress.parts.map(({ id }) => id);
    if (ids.every((id) => id !== undefined)) {
      this.#unfinished.drop(progress);
      return { type: "accepted", providerMessageId: joinIds(ids), status: "ESME_ROK" };
    }
    const refusals = results.filter((result) => result.type === "refused");
    const final = refusals.find(({ status }) => smppErrors[statusMeaning(status).code].permanent);
    if (final !== undefined) {
      this.#unfinished.drop(progress);
      return refused(name, final.status);
    }
    this.#unfinished.keep(progress);
    const unknown = results.find((result) => result.type === "unknown");
    if (unknown !== undefined) {
      progress.uncertain = true;
      return { type: "uncertain", cause: unknown.cause };
    }
    const [later] = refusals;
    if (later !== undefined) return refused(name, later.status);
    // Nothing that was sent is open: what was taken is kept, and the rest comes again.
    const throttled = results.find((result) => result.type === "throttled");
    if (throttled !== undefined)
      return {
        type: "unavailable",
        error: refusal(name, throttled.status),
        // A bind that is throttled rests by itself, for everybody, and others may not be.
        throttles: "recipient",
      };
    const absent = results.find((result) => result.type === "away");
    if (absent === undefined) return overdue(name);
    const { away, retryAfterMs } = absent;
    return { type: "unavailable", error: smppFailure(name, away.code, away.said), retryAfterMs };
  }

  /** The answers have come after all: the message is with the centre, and its ids are known. */
  #settleLate(progress: Progress): void {
    const { config, tools } = this.#parts;
    const ids = progress.parts.map(({ id }) => id);
    if (!ids.every((id) => id !== undefined)) return;
    progress.uncertain = false;
    this.#unfinished.drop(progress);
    const { attemptId, messageId, partner } = progress;
    tools.logger.info({ gateway: config.name, message: messageId }, "a submit was answered late");
    tools
      .onReceipt(
        {
          message_id: messageId,
          gateway: config.name,
          provider_message_id: joinIds(ids),
          provider_event_id: `${attemptId}.sent`,
          status: "sent",
          occurred_at: new Date().toISOString(),
        },
        partner,
      )
      // The pool has said so; the receipt of the delivery is evidence too.
      .catch(() => undefined);
  }
}

const refusal = (gateway: string, status: number) => {
  const { name, code } = statusMeaning(status);
  return smppFailure(gateway, code, name, `0x${status.toString(16).padStart(2, "0")}`);
};
const refused = (gateway: string, status: number): SendResult => ({
  type: "rejected",
  error: refusal(gateway, status),
});
const overdue = (gateway: string): SendResult => ({
  type: "rejected",
  error: smppFailure(gateway, "gateway_timeout", "no connection had room in time"),
});

/** Undefined when the signal is aborted first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve) => {
    const aborted = (): void => resolve(undefined);
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
    void promise.then((value) => {
      signal.removeEventListener("abort", aborted);
      resolve(value);
    });
  });
}
