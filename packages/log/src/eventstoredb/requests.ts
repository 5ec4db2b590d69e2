import shared from "@eventstore/db-client/generated/shared_pb.js";
import streams from "@eventstore/db-client/generated/streams_pb.js";

const { ReadReq } = streams;
const { Options } = ReadReq;
const { Empty, StreamIdentifier } = shared;

/** More than the records any read asks for: the server refuses a filtered read whose window is smaller. It looks at so many records before it hands over what fits. */
const searchWindowRecords = 4_096;

export type Filter =
  | { readonly streamPrefix: string; readonly types?: never }
  /** Names of event types; the server gives those that begin like one of them as well. */
  | { readonly types: readonly string[]; readonly streamPrefix?: never };

export type ReadAll = {
  /** Where to begin, with the record there; 0n: at the start. `end` only backwards. */
  readonly from: bigint | "end";
  readonly records: number;
  readonly filter?: Filter;
};

/** Forwards from a place, or backwards from the end. */
export function readAllRequest({ from, records, filter }: ReadAll): streams.ReadReq {
  const options = base().setAll(place(from)).setCount(String(records));
  options.setReadDirection(
    from === "end" ? Options.ReadDirection.BACKWARDS : Options.ReadDirection.FORWARDS,
  );
  if (filter === undefined) options.setNoFilter(new Empty());
  else options.setFilter(filterOptions(filter, searchWindowRecords));
  return new ReadReq().setOptions(options);
}

/** Everything after a place and what comes then; the server tells after so many records of others that it has passed them. */
export function subscribeRequest(
  after: bigint,
  filter: Filter,
  checkpointRecords: number,
): streams.ReadReq {
  const options = base().setAll(place(after));
  options.setSubscription(new Options.SubscriptionOptions());
  options.setFilter(filterOptions(filter, checkpointRecords).setCheckpointintervalmultiplier(1));
  return new ReadReq().setOptions(options);
}

export type ReadStream = {
  readonly stream: string;
  /** A revision, counted in; the start, or the end backwards, when left out. */
  readonly from: number | undefined;
  readonly records: number;
  readonly backwards: boolean;
};

export function readStreamRequest(read: ReadStream): streams.ReadReq {
  const { stream, from, records, backwards } = read;
  const named = new Options.StreamOptions().setStreamIdentifier(identifier(stream));
  if (from !== undefined) named.setRevision(String(from));
  else if (backwards) named.setEnd(new Empty());
  else named.setStart(new Empty());
  const options = base().setStream(named).setCount(String(records)).setNoFilter(new Empty());
  options.setReadDirection(
    backwards ? Options.ReadDirection.BACKWARDS : Options.ReadDirection.FORWARDS,
  );
  return new ReadReq().setOptions(options);
}

export const identifier = (stream: string): shared.StreamIdentifier =>
  new StreamIdentifier().setStreamName(Buffer.from(stream));

/** Ids as text, links not followed. */
const base = (): streams.ReadReq.Options =>
  new Options()
    .setResolveLinks(false)
    .setUuidOption(new Options.UUIDOption().setString(new Empty()));

function place(from: bigint | "end"): streams.ReadReq.Options.AllOptions {
  const all = new Options.AllOptions();
  if (from === "end") return all.setEnd(new Empty());
  if (from === 0n) return all.setStart(new Empty());
  return all.setPosition(
    new Options.Position().setCommitPosition(String(from)).setPreparePosition(String(from)),
  );
}

function filterOptions(filter: Filter, max: number): streams.ReadReq.Options.FilterOptions {
  const options = new Options.FilterOptions().setMax(max);
  const expression = new Options.FilterOptions.Expression();
  return filter.types === undefined
    ? options.setStreamIdentifier(expression.setPrefixList([filter.streamPrefix]))
    : options.setEventType(expression.setPrefixList([...filter.types]));
}
