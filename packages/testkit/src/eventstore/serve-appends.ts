import type streams from "@eventstore/db-client/generated/streams_pb.js";
import {
  Metadata,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
} from "@grpc/grpc-js";
import type { Gate } from "./gate.ts";
import {
  appendAnswer,
  appendExpectation,
  batchAnswer,
  batchExpectation,
  nameOf,
  proposed,
  uuidOf,
} from "./messages.ts";
import type { DoubleStore, Expectation, Proposed, Written } from "./store.ts";

/** The two ways to append: a call for each, or one call that carries all appends of a client. */
export function appendMethods(gate: Gate, store: DoubleStore) {
  const { faults } = gate;
  const write = (
    stream: string,
    expected: Expectation,
    events: readonly Proposed[],
  ): Written | { readonly kind: "unknown" } =>
    faults.takeFailure() ? { kind: "unknown" } : store.append(stream, expected, events);

  function append(
    call: ServerReadableStream<streams.AppendReq, streams.AppendResp>,
    answer: sendUnaryData<streams.AppendResp>,
  ): void {
    let header: streams.AppendReq.Options | undefined;
    const events: Proposed[] = [];
    let dead = false;
    call.on("error", () => undefined);
    call.on("data", (request: streams.AppendReq) => {
      dead = !gate.request() || dead;
      header ??= request.getOptions();
      const message = request.getProposedMessage();
      if (message) events.push(proposed(message));
    });
    // A connection that is cut ends what comes, too, and only then says that it was cut: half an append must not be stored.
    call.on("end", () =>
      setImmediate(() => {
        if (!dead && header !== undefined && !call.cancelled) void handle(header);
      }),
    );
    async function handle(options: streams.AppendReq.Options): Promise<void> {
      const refused = gate.refusal(call.metadata) ?? gate.notLeader();
      if (refused !== undefined) return answer(refused);
      const stream = nameOf(options.getStreamIdentifier());
      const written = write(stream, appendExpectation(options), events);
      if (faults.takeLostAnswer() || !(await gate.answer())) return;
      if (written.kind === "unknown") return answer({ code: status.UNKNOWN, details: "Unknown" });
      if (written.kind === "too-large") return answer(tooLarge(written.limit));
      answer(null, appendAnswer(written));
    }
  }

  function batchAppend(
    call: ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>,
  ): void {
    type Open = { readonly options: streams.BatchAppendReq.Options; readonly events: Proposed[] };
    const open = new Map<string, Open>();
    call.on("error", () => undefined);
    call.on("end", () => call.end());
    call.on("data", (request: streams.BatchAppendReq) => void handle(request));
    async function handle(request: streams.BatchAppendReq): Promise<void> {
      if (!gate.request()) return;
      const refused = gate.refusal(call.metadata) ?? gate.notLeader();
      if (refused !== undefined) return void call.emit("error", refused);
      const id = uuidOf(request.getCorrelationId());
      const options = request.getOptions();
      if (options !== undefined) open.set(id, { options, events: [] });
      const under = open.get(id);
      if (under === undefined) return;
      under.events.push(...request.getProposedMessagesList().map(proposed));
      if (!request.getIsFinal()) return;
      open.delete(id);
      const stream = nameOf(under.options.getStreamIdentifier());
      const written = write(stream, batchExpectation(under.options), under.events);
      if (faults.takeLostAnswer() || !(await gate.answer()) || call.cancelled) return;
      call.write(batchAnswer(request.getCorrelationId(), stream, written));
    }
  }

  return { append, batchAppend };
}

function tooLarge(limit: number) {
  const metadata = new Metadata();
  metadata.set("exception", "maximum-append-size-exceeded");
  metadata.set("maximum-append-size", String(limit));
  return {
    code: status.INVALID_ARGUMENT,
    details: `Maximum Append Size of ${limit} Exceeded.`,
    metadata,
  };
}
