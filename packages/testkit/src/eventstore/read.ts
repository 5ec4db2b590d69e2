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
    const last = stored.length - 1;
    const from = named.hasEnd()
      ? endOf(stored, reverse)
      : named.hasStart()
        ? 0
        : Math.min(Number(named.getRevision()), reverse ? last : last + 1);
    yield* some(stored, from, reverse, count, () => true);
    return;
  }
  const { records } = store;
  const all = options.getAll()!;
  const from = all.hasEnd()
    ? endOf(records, reverse)
    : all.hasStart()
      ? 0
      : // Backwards the record at the position is left out, forwards it comes first.
        indexOf(store, all.getPosition()!) - (reverse ? 1 : 0);
  const filter = options.getFilter();
  // The real server's rule.
  if (filter?.hasMax() && filter.getMax() <= count)
    throw new BadPosition("a filtered read must look at more records than it asks for");
  yield* some(records, from, reverse, count, matcher(filter));
}

/** Of a read's answers, the record at the place where it begins. */
export function* answersAtPlace(
  store: DoubleStore,
  options: streams.ReadReq.Options,
): Generator<streams.ReadResp> {
  const from = options.getAll()?.getPosition()?.getCommitPosition();
  const first = readAnswers(store, options).next().value;
  if (from !== undefined && first?.getEvent()?.getEvent()?.getCommitPosition() === from)
    yield first;
}

const endOf = (records: readonly StoredRecord[], reverse: boolean): number =>
  reverse ? records.length - 1 : records.length;

/** What is written while it goes on is not read any more, or it might never end. */
function* some(
  records: readonly StoredRecord[],
  from: number,
  reverse: boolean,
  count: number,
  matches: (record: StoredRecord) => boolean,
): Generator<streams.ReadResp> {
  const end = records.length;
  let left = count;
  for (let at = from; at >= 0 && at < end && left > 0; at += reverse ? -1 : 1) {
    const record = records[at]!;
    if (!matches(record)) continue;
    left--;
    yield eventAnswer(record);
  }
}

function indexOf(store: DoubleStore, position: streams.ReadReq.Options.Position): number {
  const at = BigInt(position.getCommitPosition());
  const index = store.indexOf(at);
  if (index < 0 || position.getPreparePosition() !== position.getCommitPosition())
    throw new BadPosition(`Trying to read from an invalid position. No record begins at ${at}.`);
  return index;
}

/**
 * The answers of a subscription as far as there are records now; keeps its place between calls. Checkpoints come by the server's rules: one after so many records, matching or
 * not, and one where catching up ends, before it says so; a subscriber that has nothing to catch up with gets none.
 */
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
  let considered = 0;
  let checkpoint: bigint | undefined;
  let phase: "new" | "catching-up" | "live" = "new";
  return function* () {
    if (phase === "new") yield confirmationAnswer();
    if (phase === "new") phase = "catching-up";
    let last: bigint | undefined;
    while (next < store.records.length) {
      const record = store.records[next++]!;
      last = record.position;
      if (matches(record)) yield eventAnswer(record);
      if (filter !== undefined && ++considered % every === 0)
        yield checkpointAnswer((checkpoint = last));
    }
    if (phase === "live") return;
    phase = "live";
    if (filter !== undefined && last !== undefined && last !== checkpoint)
      yield checkpointAnswer(last);
    yield caughtUpAnswer();
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
