import streams from "@eventstore/db-client/generated/streams_pb.js";
import {
  caughtUpAnswer,
  checkpointAnswer,
  confirmationAnswer,
  eventAnswer,
  nameOf,
  notFoundAnswer,
} from "./messages.ts";
import type { DoubleStore, StoredRecord } from "./store.ts";

export class BadPosition extends Error {}

const backwards = streams.ReadReq.Options.ReadDirection.BACKWARDS;
/** The server's window when a subscriber names none. */
const defaultWindow = 32;

export const isSubscription = (options: streams.ReadReq.Options): boolean =>
  options.hasSubscription();

/** The answers to a read that ends. Throws BadPosition for a position where no record begins: the real server's answer to that is an error too. */
export function* readAnswers(
  store: DoubleStore,
  options: streams.ReadReq.Options,
): Generator<streams.ReadResp> {
  const count = Number(options.getCount());
  const reverse = options.getReadDirection() === backwards;
  const named = options.getStream();
  if (named !== undefined) {
    const name = nameOf(named.getStreamIdentifier());
    const stored = store.stream(name);
    if (stored.length === 0) {
      yield notFoundAnswer(name);
      return;
    }
    const from = named.hasEnd()
      ? stored.length - 1
      : named.hasStart()
        ? 0
        : Math.min(Number(named.getRevision()), reverse ? stored.length - 1 : stored.length);
    yield* some(stored, from, reverse, count);
    return;
  }
  const { records } = store;
  const all = options.getAll()!;
  const from = all.hasEnd()
    ? records.length - 1
    : all.hasStart()
      ? 0
      : indexOf(store, all.getPosition()!);
  // Backwards the record at the position is left out, forwards it comes first.
  yield* some(records, reverse && all.hasPosition() ? from - 1 : from, reverse, count);
}

function* some(
  records: readonly StoredRecord[],
  from: number,
  reverse: boolean,
  count: number,
): Generator<streams.ReadResp> {
  for (let n = 0; n < count; n++) {
    const record = records[reverse ? from - n : from + n];
    if (record === undefined) return;
    yield eventAnswer(record);
  }
}

function indexOf(store: DoubleStore, position: streams.ReadReq.Options.Position): number {
  const at = BigInt(position.getCommitPosition());
  const index = store.indexOf(at);
  if (index < 0 || position.getPreparePosition() !== position.getCommitPosition())
    throw new BadPosition(`no record begins at position ${at}`);
  return index;
}

/** The answers of a subscription as far as there are records now; keeps its place between calls. */
export function subscriptionAnswers(
  store: DoubleStore,
  options: streams.ReadReq.Options,
): () => Generator<streams.ReadResp> {
  const all = options.getAll();
  if (all === undefined) throw new BadPosition("only subscriptions to all are served");
  const filter = options.getFilter();
  const matches = matcher(filter);
  const every =
    (filter?.hasMax() ? filter.getMax() : defaultWindow) *
    (filter?.getCheckpointintervalmultiplier() ?? 1);
  let next = all.hasStart()
    ? 0
    : all.hasEnd()
      ? store.records.length
      : indexOf(store, all.getPosition()!) + 1;
  let skipped = 0;
  let confirmed = false;
  let live = false;
  return function* () {
    if (!confirmed) yield confirmationAnswer();
    confirmed = true;
    while (next < store.records.length) {
      const record = store.records[next++]!;
      if (matches(record)) {
        skipped = 0;
        yield eventAnswer(record);
      } else if (++skipped % every === 0) yield checkpointAnswer(record.position);
    }
    if (!live) yield caughtUpAnswer();
    live = true;
  };
}

function matcher(
  filter: streams.ReadReq.Options.FilterOptions | undefined,
): (record: StoredRecord) => boolean {
  if (filter === undefined) return () => true;
  const expression = filter.getStreamIdentifier() ?? filter.getEventType();
  const on = filter.hasStreamIdentifier() ? "stream" : "type";
  const prefixes = expression?.getPrefixList() ?? [];
  const regex = expression?.getRegex() ? new RegExp(expression.getRegex()) : undefined;
  return (record) =>
    regex ? regex.test(record[on]) : prefixes.some((prefix) => record[on].startsWith(prefix));
}
