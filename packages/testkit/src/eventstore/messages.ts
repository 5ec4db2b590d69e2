import codes from "@eventstore/db-client/generated/code_pb.js";
import shared from "@eventstore/db-client/generated/shared_pb.js";
import status from "@eventstore/db-client/generated/status_pb.js";
import streams from "@eventstore/db-client/generated/streams_pb.js";
import anyPackage from "google-protobuf/google/protobuf/any_pb.js";
import emptyPackage from "google-protobuf/google/protobuf/empty_pb.js";
import type { Expectation, Proposed, StoredRecord, Written } from "./store.ts";

const { Empty, StreamIdentifier, UUID } = shared;
/** .NET ticks, 100 ns, are what `created` is counted in. */
const ticksPerMs = 10_000n;

export const identifier = (name: string): shared.StreamIdentifier =>
  new StreamIdentifier().setStreamName(Buffer.from(name).toString("base64"));

export const nameOf = (id: shared.StreamIdentifier | undefined): string =>
  Buffer.from(id?.getStreamName_asU8() ?? []).toString("utf8");

export const uuidOf = (id: shared.UUID | undefined): string => id?.getString() ?? "";

type ProposedMessage = streams.BatchAppendReq.ProposedMessage | streams.AppendReq.ProposedMessage;

export const proposed = (message: ProposedMessage): Proposed => ({
  id: uuidOf(message.getId()),
  type: message.getMetadataMap().get("type") ?? "",
  contentType: message.getMetadataMap().get("content-type") ?? "",
  data: message.getData_asU8(),
  metadata: message.getCustomMetadata_asU8(),
});

export function batchExpectation(options: streams.BatchAppendReq.Options): Expectation {
  const cases = streams.BatchAppendReq.Options.ExpectedStreamPositionCase;
  switch (options.getExpectedStreamPositionCase()) {
    case cases.STREAM_POSITION:
      return Number(options.getStreamPosition());
    case cases.NO_STREAM:
      return "no_stream";
    case cases.STREAM_EXISTS:
      return "stream_exists";
    default:
      return "any";
  }
}

export function appendExpectation(options: streams.AppendReq.Options): Expectation {
  const cases = streams.AppendReq.Options.ExpectedStreamRevisionCase;
  switch (options.getExpectedStreamRevisionCase()) {
    case cases.REVISION:
      return Number(options.getRevision());
    case cases.NO_STREAM:
      return "no_stream";
    case cases.STREAM_EXISTS:
      return "stream_exists";
    default:
      return "any";
  }
}

export function batchAnswer(
  correlation: shared.UUID | undefined,
  stream: string,
  written: Written | { readonly kind: "unknown" },
): streams.BatchAppendResp {
  const answer = new streams.BatchAppendResp()
    .setCorrelationId(correlation)
    .setStreamIdentifier(identifier(stream));
  if (written.kind === "ok")
    return answer.setSuccess(
      new streams.BatchAppendResp.Success()
        .setCurrentRevision(String(written.revision))
        .setPosition(
          new shared.AllStreamPosition()
            .setCommitPosition(String(written.position))
            .setPreparePosition(String(written.position)),
        ),
    );
  const error = new status.Status();
  const details = new anyPackage.Any();
  if (written.kind === "wrong") {
    const wrong = new shared.WrongExpectedVersion();
    if (written.current < 0) wrong.setCurrentNoStream(new emptyPackage.Empty());
    else wrong.setCurrentStreamRevision(String(written.current));
    error.setCode(codes.Code.FAILED_PRECONDITION);
    details.pack(wrong.serializeBinary(), "event_store.client.WrongExpectedVersion");
  } else if (written.kind === "too-large") {
    const large = new shared.MaximumAppendSizeExceeded().setMaxappendsize(written.limit);
    error.setCode(codes.Code.INVALID_ARGUMENT);
    details.pack(large.serializeBinary(), "event_store.client.MaximumAppendSizeExceeded");
  } else {
    error.setCode(codes.Code.UNKNOWN);
    details.pack(new shared.Unknown().serializeBinary(), "event_store.client.Unknown");
  }
  return answer.setError(error.setDetails(details));
}

export function appendAnswer(
  written: Extract<Written, { kind: "ok" | "wrong" }>,
): streams.AppendResp {
  if (written.kind === "ok")
    return new streams.AppendResp().setSuccess(
      new streams.AppendResp.Success()
        .setCurrentRevision(String(written.revision))
        .setPosition(
          new streams.AppendResp.Position()
            .setCommitPosition(String(written.position))
            .setPreparePosition(String(written.position)),
        ),
    );
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (written.current < 0) wrong.setCurrentNoStream(new Empty());
  else wrong.setCurrentRevision(String(written.current));
  return new streams.AppendResp().setWrongExpectedVersion(wrong);
}

export function eventAnswer(record: StoredRecord): streams.ReadResp {
  const event = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new UUID().setString(record.id))
    .setStreamIdentifier(identifier(record.stream))
    .setStreamRevision(String(record.revision))
    .setPreparePosition(String(record.position))
    .setCommitPosition(String(record.position))
    .setCustomMetadata(record.metadata)
    .setData(record.data);
  event
    .getMetadataMap()
    .set("type", record.type)
    .set("content-type", record.contentType)
    .set("created", String(BigInt(record.created) * ticksPerMs));
  return new streams.ReadResp().setEvent(
    new streams.ReadResp.ReadEvent().setEvent(event).setCommitPosition(String(record.position)),
  );
}

export const checkpointAnswer = (position: bigint): streams.ReadResp =>
  new streams.ReadResp().setCheckpoint(
    new streams.ReadResp.Checkpoint()
      .setCommitPosition(String(position))
      .setPreparePosition(String(position)),
  );
export const caughtUpAnswer = (): streams.ReadResp =>
  new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp());
export const confirmationAnswer = (): streams.ReadResp =>
  new streams.ReadResp().setConfirmation(
    new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(crypto.randomUUID()),
  );
export const notFoundAnswer = (stream: string): streams.ReadResp =>
  new streams.ReadResp().setStreamNotFound(
    new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifier(stream)),
  );
