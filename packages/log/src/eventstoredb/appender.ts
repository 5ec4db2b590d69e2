import { randomUUID } from "node:crypto";
import shared from "@eventstore/db-client/generated/shared_pb.js";
import streams from "@eventstore/db-client/generated/streams_pb.js";
import { makeBell } from "../bell.ts";
import type { Batch, Calls } from "./calls.ts";
import type { Proposed } from "./codec.ts";
import { callTimeoutMs, within } from "./connection.ts";
import { identifier } from "./requests.ts";

/** One message takes no more of an append's events than this, in bytes of protobuf: what the client itself sends at once. */
const messageBytes = 3 * 1_048_576;

/** What the server says of an append. `commit` is where its last event begins, of this append or of an older one with the same ids. */
export type Answer =
  | { readonly kind: "stored"; readonly commit: bigint | undefined }
  /** -1: there is no stream. */
  | { readonly kind: "conflict"; readonly actual: number }
  | { readonly kind: "deleted" }
  | { readonly kind: "too_large" };

type Open = Batch & {
  /** By correlation. */
  readonly waiting: Map<string, PromiseWithResolvers<Answer>>;
  answeredAt: number;
  full: boolean;
  over: Error | undefined;
};

/**
 * Appends that share one call, opened when it is first wanted and again after it ended. The end of a call, or an answer that tells of a failure, is that of the appends on it and
 * of no others; an append whose time is over leaves the others alone. Every server that tells positions knows this call, so there is no other way beside it.
 */
export class Appender {
  readonly #calls: Calls;
  /** Somebody may go on writing, or need not any more. */
  readonly #drained = makeBell();
  #current: Promise<Open> | undefined;
  #closed = false;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Appends to a stream that must end at the revision `expected`, -1: must not exist. Throws when there is no answer in time or the server could not do it: then nobody
   * knows whether it was stored.
   */
  async append(
    stream: string,
    events: readonly Proposed[],
    expected: number,
    timeoutMs: number,
  ): Promise<Answer> {
    const id = randomUUID();
    const startedAt = performance.now();
    let on: Open | undefined;
    let givenUp = false;
    const work = async (): Promise<Answer> => {
      on = await (this.#current ??= this.#open());
      if (on.over !== undefined) throw on.over;
      // A node was found too late: the caller was told.
      if (givenUp) throw new Error("the append was given up");
      const answer = Promise.withResolvers<Answer>();
      on.waiting.set(id, answer);
      await this.#write(requestsOf(id, stream, events, expected), on, () => givenUp);
      return answer.promise;
    };
    try {
      return await within(work(), timeoutMs);
    } catch (error) {
      // No append was answered in all that time: the next ones get a call of their own.
      if (on?.waiting.has(id) && on.answeredAt < startedAt && timeoutMs >= callTimeoutMs)
        on.abandon(startedAt);
      throw error;
    } finally {
      givenUp = true;
      on?.waiting.delete(id);
      // It may wait for room: nothing is kept for it.
      if (on?.full) this.#drained.ring();
    }
  }

  close(): void {
    this.#closed = true;
    void this.#current?.then(({ call }) => call.cancel()).catch(() => undefined);
  }

  #open(): Promise<Open> {
    const waiting: Open["waiting"] = new Map();
    let opened: Open | undefined;
    const opening = this.#calls
      .batchAppend((error) => {
        if (this.#current === opening) this.#current = undefined;
        if (opened !== undefined) opened.over = error;
        this.#drained.ring();
        for (const { reject } of waiting.values()) reject(error);
        waiting.clear();
      })
      .then((batch) => {
        opened = { ...batch, waiting, answeredAt: 0, full: false, over: undefined };
        this.#listen(opened);
        if (this.#closed) batch.call.cancel();
        return opened;
      });
    opening.catch(() => {
      if (this.#current === opening) this.#current = undefined;
    });
    return opening;
  }

  #listen(open: Open): void {
    open.call.on("drain", () => {
      open.full = false;
      this.#drained.ring();
    });
    open.call.on("data", (response: streams.BatchAppendResp) => {
      open.answeredAt = performance.now();
      const asked = open.waiting.get(response.getCorrelationId()?.getString() ?? "");
      // Whoever asked may have given up.
      if (asked === undefined) return;
      try {
        asked.resolve(answerOf(response));
      } catch (error) {
        asked.reject(error);
      }
    });
  }

  /**
   * Writes one append's messages when there is room for them, each whole: the server takes them by their correlation. Nothing is written once the append is given up: one that has
   * not got its last message is never stored, and the server forgets it with the call at the latest.
   */
  async #write(
    requests: readonly streams.BatchAppendReq[],
    to: Open,
    givenUp: () => boolean,
  ): Promise<void> {
    for (const request of requests) {
      while (to.full && to.over === undefined && !givenUp()) await this.#drained.wait();
      if (to.over !== undefined || givenUp()) return;
      if (!to.call.write(request)) to.full = true;
    }
  }
}

function requestsOf(
  id: string,
  stream: string,
  events: readonly Proposed[],
  expected: number,
): readonly streams.BatchAppendReq[] {
  const correlation = new shared.UUID().setString(id);
  const options = new streams.BatchAppendReq.Options().setStreamIdentifier(identifier(stream));
  if (expected < 0) options.setNoStream(new shared.Empty());
  else options.setStreamPosition(String(expected));
  let request = new streams.BatchAppendReq().setCorrelationId(correlation).setOptions(options);
  const requests = [request];
  let bytes = 0;
  for (const event of events) {
    const size = event.getData_asU8().length + event.getCustomMetadata_asU8().length;
    if (bytes > 0 && bytes + size > messageBytes) {
      requests.push((request = new streams.BatchAppendReq().setCorrelationId(correlation)));
      bytes = 0;
    }
    bytes += size;
    request.addProposedMessages(event);
  }
  request.setIsFinal(true);
  return requests;
}

/** Throws what is neither stored nor refused for good: time-outs of the server, access, failures. */
function answerOf(response: streams.BatchAppendResp): Answer {
  const error = response.getError();
  if (error === undefined) {
    const position = response.getSuccess()?.getPosition();
    return { kind: "stored", commit: position && BigInt(position.getCommitPosition()) };
  }
  const details = error.getDetails();
  const type = details?.getTypeName() ?? "";
  switch (type) {
    case "event_store.client.WrongExpectedVersion": {
      const wrong = details!.unpack(shared.WrongExpectedVersion.deserializeBinary, type);
      const known = wrong?.hasCurrentStreamRevision() ?? false;
      return { kind: "conflict", actual: known ? Number(wrong!.getCurrentStreamRevision()) : -1 };
    }
    case "event_store.client.StreamDeleted":
      return { kind: "deleted" };
    case "event_store.client.MaximumAppendSizeExceeded":
      return { kind: "too_large" };
    default:
      throw new Error(`the server could not append: ${type} ${error.getMessage()}`);
  }
}
