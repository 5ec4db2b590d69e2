import type { WritePart } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import type { Endpoint } from "@heliograph/domain";
import {
  loaded,
  type Failing,
  type Store,
  type StoredRow,
  type SubjectOfEndpoint,
} from "../src/store.ts";

import { setBackAtOnce, type SetBack } from "../src/tables/set-at.ts";

const separator = "\u001e";
const listOf = (text: string): readonly string[] =>
  text === "{}" ? [] : text.slice(1, -1).split(",");
const numbersOf = (text: string): readonly (number | null)[] =>
  listOf(text).map((each) => (each === "null" ? null : Number(each)));
const positionsOf = (text: string): readonly bigint[] => listOf(text).map(BigInt);
const textsOf = (text: string): readonly string[] => text.split(separator);

type Row = Readonly<StoredRow>;
const isPending = ({ status }: Row): boolean => status === "pending";
const isHeld = (row: Row): boolean => isPending(row) && row.next_attempt_at === null;

/** Whether a row that waits was written by a clock before. */
const isUnaware = (row: Row, now: number, apartMs: number, lookedAt: number): boolean =>
  isPending(row) &&
  row.next_attempt_at !== null &&
  row.next_attempt_at > now &&
  ((row.set_at ?? -Infinity) > now + apartMs || (row.set_at ?? 0) < lookedAt);

const byPosition = (rows: readonly Row[], which: (row: Row) => boolean): readonly Row[] =>
  rows
    .filter(which)
    .toSorted((one, other) => Number(BigInt(one.position) - BigInt(other.position)));

const subjectsOf = (rows: readonly Row[]): SubjectOfEndpoint[] => {
  const found = rows.flatMap(({ endpoint_id: endpointId, subject }) =>
    subject === null ? [] : [{ endpointId, subject }],
  );
  return [...new Map(found.map((each) => [JSON.stringify(each), each])).values()];
};

/** The tables of webhooks without a database: what their statements do, each all or nothing. A test compares them with PostgreSQL. */
export class Tables {
  readonly rows = new Map<string, Row>();
  readonly endpoints = new Map<string, { readonly status: string; readonly state: string }>();
  readonly sequences = new Map<string, number>();
  readonly failing = new Map<string, Failing>();
  readonly notices = new Map<string, string>();
  /** Of each batch the deliveries that were first written with it. */
  readonly sealed = new Map<string, ReadonlySet<string>>();
  setBacks: (SetBack & { readonly shard: number })[] = [];
  /** Rows that two parts of a statement have changed: PostgreSQL lets one of them go without a word. */
  readonly faults: string[] = [];
  readonly #changed = new Set<string>();
  /** What the statement under way sees. */
  #seen: readonly Row[] = [];

  apply(parts: readonly WritePart[]): void {
    this.#changed.clear();
    this.#seen = [...this.rows.values()];
    for (const { name, values } of parts) this.#applyOne(name, loosely(values));
  }

  #set(row: Row): void {
    if (this.#changed.has(row.id)) this.faults.push(`two parts of a statement change ${row.id}`);
    this.#changed.add(row.id);
    this.rows.set(row.id, row);
  }
  #change(which: (row: Row) => boolean, to: (row: Row) => Partial<Row>): void {
    for (const row of this.#seen.filter(which)) this.#set({ ...row, ...to(row) });
  }
  /** Those that wait for endpoints, up to a position of each, but for some. */
  #waitsFor([ids, positions, except]: readonly [string[], string, string[]]) {
    const places = positionsOf(positions);
    const upTo = new Map(ids.map((id, at) => [id, places[at]!]));
    return (row: Row): boolean =>
      isPending(row) &&
      !except.includes(row.id) &&
      BigInt(row.position) <= (upTo.get(row.endpoint_id) ?? -1n);
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- values of statements
  #applyOne(name: string, values: any): void {
    const [first, second, third, fourth, fifth] = values;
    switch (name) {
      case "deliveries":
        return this.#write(values);
      case "endpoints":
        for (const [at, state] of textsOf(fifth).entries())
          this.endpoints.set(first[at], { status: third[at], state });
        return;
      case "sequences":
        for (const [at, sequence] of numbersOf(second).entries())
          this.sequences.set(first[at], sequence!);
        return;
      case "discard":
        return this.#change(this.#waitsFor(values), () => ({
          status: "discarded",
          next_attempt_at: null,
          body: null,
        }));
      case "cancel_replays":
        return this.#change(
          (row) =>
            isPending(row) && first.includes(row.replay ?? "none") && !second.includes(row.id),
          ({ before }) => ({ status: before ?? "failed", next_attempt_at: null, body: null }),
        );
      case "due": {
        const waits = this.#waitsFor(values);
        return this.#change(
          (row) => waits(row) && row.next_attempt_at !== null,
          (row) => ({ next_attempt_at: Math.min(row.next_attempt_at!, fourth), set_at: fourth }),
        );
      }
      case "due_held": {
        const waits = this.#waitsFor(values);
        return this.#change(
          (row) => waits(row) && isHeld(row),
          () => ({ next_attempt_at: fourth, set_at: fourth }),
        );
      }
      case "release_next":
        for (const [at, endpointId] of third.entries())
          this.#release(endpointId, fourth[at], BigInt(second), first);
        return;
      case "release_all":
        return this.#releaseAll(third, BigInt(second), first);
      default:
        return this.#applyOther(name, values);
    }
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- values of statements
  #applyOther(name: string, [first, second, third, fourth, fifth]: any): void {
    switch (name) {
      case "set_back":
        return this.#change(
          (row) => first.includes(row.id) && isUnaware(row, second, third, fourth),
          ({ next_attempt_at: at, set_at: setAt }) => ({
            next_attempt_at: at! - (fifth ?? setAt! - second),
            set_at: second,
          }),
        );
      case "note_set_back":
        this.setBacks.push({ shard: first, now: second, byMs: third, lookedAt: fourth });
        return;
      case "forget_set_back":
        this.setBacks = this.setBacks.filter(
          ({ shard, now, byMs, lookedAt }) =>
            shard !== first || now !== second || byMs !== third || lookedAt !== fourth,
        );
        return;
      case "failing":
        for (const [at, endpointId] of first.entries())
          this.failing.set(endpointId, {
            endpointId,
            since: numbersOf(second)[at]!,
            failedAt: numbersOf(third)[at]!,
            failedForMs: numbersOf(fourth)[at]!,
            told: fifth[at],
          });
        return;
      case "forget_failing":
        for (const id of first) this.failing.delete(id);
        return;
      case "notices":
        for (const [at, event] of textsOf(third).entries())
          if (!this.notices.has(first[at])) this.notices.set(first[at], event);
        return;
      case "hours":
      case "forget_hours":
        return;
      default:
        throw new Error(name);
    }
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- values of statements
  #write(values: any): void {
    const [ids, endpoints, partners, events, types] = values as string[][];
    const numbers = (column: number, at: number): string => listOf(values[column])[at]!;
    const texts = (column: number, at: number): string => textsOf(values[column])[at]!;
    for (const [batch, own] of Map.groupBy(ids!, (_, at) => texts(15, at)))
      if (batch !== "" && !this.sealed.has(batch)) this.sealed.set(batch, new Set(own));
    for (const [at, id] of ids!.entries()) {
      const new_ = {
        status: numbers(7, at) as Row["status"],
        attempts: texts(8, at),
        next_attempt_at: numbersOf(values[9])[at]!,
        body: texts(10, at) || null,
        tries: Number(numbers(12, at)),
        replay: texts(13, at) || null,
        batch: texts(15, at) || null,
        before: (texts(17, at) || null) as Row["before"],
        set_at: numbers(7, at) === "pending" ? values[18] : null,
      };
      const known = this.rows.get(id);
      this.#set(
        known === undefined
          ? {
              id,
              endpoint_id: endpoints![at]!,
              partner: partners![at]!,
              event_id: events![at]!,
              type: types![at]!,
              position: numbers(5, at),
              sequence: Number(numbers(6, at)),
              created_at: Number(numbers(11, at)),
              subject: texts(14, at) || null,
              traceparent: texts(16, at) || null,
              ...new_,
            }
          : { ...known, ...new_ },
      );
    }
  }
  #release(endpointId: string, subject: string, upTo: bigint, now: number): void {
    const waiting = byPosition(
      this.#seen,
      (row) =>
        isPending(row) &&
        row.endpoint_id === endpointId &&
        row.subject === subject &&
        BigInt(row.position) <= upTo,
    );
    const [next] = waiting;
    if (next !== undefined && next.next_attempt_at === null)
      this.#set({ ...next, next_attempt_at: now, set_at: now });
  }
  #releaseAll(endpointIds: readonly string[], upTo: bigint, now: number): void {
    const subjects = new Set(
      this.#seen
        .filter(
          (row) => isPending(row) && row.subject !== null && endpointIds.includes(row.endpoint_id),
        )
        .map((row) => `${row.endpoint_id} ${row.subject}`),
    );
    for (const each of subjects) {
      const [endpointId, subject] = each.split(" ");
      this.#release(endpointId!, subject!, upTo, now);
    }
  }
  get pending(): readonly Row[] {
    return [...this.rows.values()].filter(isPending);
  }

  /** What the service reads of them. */
  readonly store: Store = {
    endpoints: async () =>
      [...this.endpoints.values()]
        .filter(({ status }) => status !== "deleted")
        .map(({ state }) => JSON.parse(state) as Endpoint),
    counters: async () => [...this.sequences],
    failing: async () =>
      [...this.failing.values()].filter(
        ({ endpointId }) => this.endpoints.get(endpointId)?.status === "enabled",
      ),
    pending: async (endpoints) =>
      endpoints.flatMap(({ id, room }) =>
        this.pending
          .filter((row) => row.endpoint_id === id && row.next_attempt_at !== null)
          .toSorted((one, other) => one.next_attempt_at! - other.next_attempt_at!)
          .slice(0, room)
          .map(loaded),
      ),
    batches: async (ids) =>
      byPosition(this.pending, (row) => ids.includes(row.batch ?? "none")).map(loaded),
    load: async (ids) => ids.flatMap((id) => this.rows.get(id) ?? []).map(loaded),
    waited: async () => [...new Set(this.pending.map((row) => row.endpoint_id))],
    withPending: async (ids) =>
      new Set(ids.filter((id) => this.pending.some((row) => row.endpoint_id === id))),
    subjectsOf: async (ids, of) =>
      subjectsOf(this.pending.filter((row) => ids.includes(row[of] ?? "none"))),
    unaware: async (from, { now, byMs, lookedAt = 0 }) =>
      this.pending
        .filter((row) => row.next_attempt_at! >= (from.get(row.endpoint_id) ?? Infinity))
        .filter((row) => isUnaware(row, now, byMs === undefined ? 60_000 : 1_000, lookedAt))
        .toSorted((one, other) => one.next_attempt_at! - other.next_attempt_at!)
        .slice(0, setBackAtOnce)
        .map(({ id, endpoint_id: endpointId, next_attempt_at: at }) => ({
          id,
          endpointId,
          nextAttemptAt: at!,
        })),
    setBacks: async (shard) =>
      this.setBacks.filter((each) => each.shard === shard).map(({ shard: _, ...back }) => back),
    countPending: async () => this.pending.length,
    known: async (ids) => new Set(ids.filter((id) => this.rows.has(id))),
    prune: async () => 0,
  };
}
