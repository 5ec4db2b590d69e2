import { hash } from "node:crypto";

/** A row as it is stored: every value that the chain holds fast. */
export type StoredRow = {
  /** UTC, `2026-03-01`: by the database's clock when it was written. */
  readonly day: string;
  /** From 1 within its day, without holes. */
  readonly number: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly partner: string;
  readonly actor: string;
  readonly key_prefix: string | null;
  readonly action: string;
  readonly target: string;
  readonly subject: string | null;
  readonly request_id: string;
  readonly ip: string;
  readonly outcome: number;
  readonly code: string | null;
  readonly count: number;
  /** JSON as it was written. */
  readonly changes: string | null;
};

/** What a day came to. `previous` is the hash of the day before, empty for the first. */
export type DayHead = {
  readonly day: string;
  readonly previous: string;
  readonly rows: number;
  readonly hash: string;
};

/** The hash of a row behind another: SHA-256 over the hash before it and the row's values, as a JSON array. */
export const linkOf = (previous: string, row: StoredRow): string =>
  hash(
    "sha256",
    JSON.stringify([
      previous,
      row.day,
      row.number,
      row.at,
      row.partner,
      row.actor,
      row.key_prefix,
      row.action,
      row.target,
      row.subject,
      row.request_id,
      row.ip,
      row.outcome,
      row.code,
      row.count,
      row.changes,
    ]),
    "hex",
  );

/** Where the chain of an audit is broken first. */
export type Flaw = { readonly day: string; readonly number: number; readonly what: string };
/** An `AuditAnchored` of the platform log. */
export type Anchor = { readonly day: string; readonly rows: number; readonly hash: string };

/** Checks one day, its rows offered in the order of their numbers. */
export class DayCheck {
  readonly #head: DayHead;
  readonly #anchors: ReadonlyMap<number, string>;
  #hash: string;
  #number = 0;

  constructor(head: DayHead, anchors: readonly Anchor[]) {
    this.#head = head;
    this.#anchors = new Map(anchors.map(({ rows, hash: known }) => [rows, known]));
    this.#hash = head.previous;
  }

  next(row: StoredRow, stored: string): Flaw | undefined {
    const number = this.#number + 1;
    if (row.number !== number) return this.#flaw(number, `is missing; row ${row.number} follows`);
    this.#hash = linkOf(this.#hash, row);
    this.#number = number;
    if (this.#hash !== stored) return this.#flaw(number, "was changed");
    const anchored = this.#anchors.get(number);
    return anchored !== undefined && anchored !== stored
      ? this.#flaw(
          number,
          "or one before it was changed, and the chain made anew: it was anchored with another hash",
        )
      : undefined;
  }

  end(): Flaw | undefined {
    const known = Math.max(this.#head.rows, ...this.#anchors.keys());
    if (this.#number < known)
      return this.#flaw(this.#number + 1, `is missing, with all up to row ${known}`);
    if (this.#number > this.#head.rows)
      return this.#flaw(this.#head.rows + 1, "is behind the day's end");
    return this.#hash === this.#head.hash
      ? undefined
      : this.#flaw(this.#number, "has not the hash that the day ended with");
  }

  #flaw(number: number, what: string): Flaw {
    return { day: this.#head.day, number, what };
  }
}
