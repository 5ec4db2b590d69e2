import type { WritePart } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";

type BroadcastRow = {
  readonly id: string;
  readonly partner: string;
  readonly position: string;
  readonly created: string;
  readonly status: string;
  readonly send_at: number | null;
  readonly pause_code: string | null;
  readonly pause_reason: string | null;
  readonly started_at: string | null;
  readonly started_position: string | null;
  readonly ended_at: string | null;
  readonly collected_to: string;
  readonly collected: boolean;
  readonly audience: number;
  readonly accepted: number;
  readonly sent: number;
  readonly failed: number;
  readonly skipped: number;
};
export type RecipientRow = {
  readonly broadcast_id: string;
  readonly number: number;
  readonly contact_id: string;
  readonly message_id: string;
  readonly attempt: number;
  readonly state: "pending" | "accepted" | "skipped";
  readonly outcome: "sent" | "failed" | null;
  readonly reason: string | null;
};
type Query = { readonly text: string; readonly name?: string; readonly values?: unknown[] };

const dayMs = 86_400_000;
const followedMs = 8 * dayMs;
const fresh = {
  status: "draft",
  pause_code: null,
  pause_reason: null,
  started_at: null,
  started_position: null,
  ended_at: null,
  collected_to: "0",
  collected: false,
  audience: 0,
  accepted: 0,
  sent: 0,
  failed: 0,
  skipped: 0,
};
/** As it is selected. */
const jobOf = (row: BroadcastRow): object => {
  const { id, partner, status, send_at, started_position, collected_to, collected } = row;
  const { audience, accepted, sent, failed, skipped } = row;
  const counts = { audience, accepted, sent, failed, skipped };
  return { id, partner, status, send_at, started_position, collected_to, collected, ...counts };
};
const placeOf = ({ broadcast_id, contact_id }: RecipientRow): string =>
  `${broadcast_id} ${contact_id}`;
const count = <Item>(items: readonly Item[], which: (item: Item) => boolean): number =>
  items.filter(which).length;

/** The tables of broadcasts without a database: what their statements do, each all or nothing, and all parts of one as if it had not begun. A test compares them with PostgreSQL. */
export class Tables {
  readonly broadcasts = new Map<string, BroadcastRow>();
  readonly recipients = new Map<string, RecipientRow>();
  /** Rows that two parts of a statement have changed: PostgreSQL lets one of them go without a word. */
  readonly faults: string[] = [];
  readonly #changed = new Set<string>();
  /** What the statement under way sees. */
  #seen: ReadonlyMap<string, BroadcastRow> = new Map();
  #seenOf: readonly RecipientRow[] = [];

  apply(parts: readonly WritePart[]): void {
    this.#changed.clear();
    this.#seen = new Map(this.broadcasts);
    this.#seenOf = [...this.recipients.values()];
    for (const { name, values } of parts) this.#applyOne(name, loosely(values));
  }
  #note(what: string): void {
    if (this.#changed.has(what)) this.faults.push(`two parts of a statement change ${what}`);
    this.#changed.add(what);
  }
  #set(id: string, change: (row: BroadcastRow) => Partial<BroadcastRow>): void {
    const row = this.#seen.get(id);
    if (row === undefined) return;
    this.#note(id);
    this.broadcasts.set(id, { ...row, ...change(row) });
  }
  #setRecipient(row: RecipientRow): void {
    this.#note(placeOf(row));
    this.recipients.set(placeOf(row), row);
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- values of statements
  #applyOne(name: string, values: any): void {
    const [first, second, third, fourth, fifth] = values;
    switch (name) {
      case "broadcasts_insert": {
        if (this.broadcasts.has(first)) return;
        const send_at = fifth === null ? null : Date.parse(fifth);
        const own = { id: first, partner: second, position: third, created: fourth, send_at };
        return void this.broadcasts.set(first, { ...fresh, ...own });
      }
      case "broadcasts_started":
        return this.#set(first, () => ({
          status: "running",
          started_at: second,
          started_position: third,
        }));
      case "broadcasts_status":
        return this.#set(first, () => ({
          status: second,
          pause_code: third,
          pause_reason: fourth,
          ended_at: fifth,
        }));
      case "broadcasts_collect":
      case "broadcasts_page_added":
        return this.#add(first, second, third);
      case "broadcasts_collected":
        return this.#set(first, (row) => ({
          audience: row.audience + this.#unknown(first, second, third).length,
          collected_to: fourth,
          collected: fifth,
        }));
      case "broadcasts_page":
        for (const { row, reason } of this.#settled(first, second, third))
          this.#setRecipient({ ...row, state: reason === null ? "accepted" : "skipped", reason });
        return;
      case "broadcasts_page_counts": {
        const settled = this.#settled(first, second, third);
        return this.#set(first, (row) => ({
          accepted: row.accepted + count(settled, ({ reason }) => reason === null),
          skipped: row.skipped + count(settled, ({ reason }) => reason !== null),
          audience: row.audience + this.#unknown(first, fourth, fourth).length,
        }));
      }
      default:
        return this.#applyOutcome(name, values);
    }
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- values of statements
  #applyOutcome(name: string, [first, second, third]: any): void {
    switch (name) {
      case "broadcasts_outcomes":
        for (const { row, outcome } of this.#outcomes(first, second, third))
          this.#setRecipient({
            ...row,
            outcome,
            state: row.state === "pending" ? "accepted" : row.state,
          });
        return;
      case "broadcasts_outcome_counts": {
        const changes = this.#outcomes(first, second, third);
        for (const [id, own] of Map.groupBy(changes, ({ row }) => row.broadcast_id))
          this.#set(id, ({ accepted, sent, failed }) => ({
            accepted: accepted + count(own, ({ row }) => row.state === "pending"),
            sent:
              sent +
              count(own, ({ outcome }) => outcome === "sent") -
              count(own, ({ row }) => row.outcome === "sent"),
            failed:
              failed +
              count(own, ({ outcome }) => outcome === "failed") -
              count(own, ({ row }) => row.outcome === "failed"),
          }));
        return;
      }
      case "broadcasts_retry":
        for (const row of this.#seenOf) {
          const at = first.indexOf(row.message_id);
          if (at === -1) continue;
          const next = { message_id: second[at], attempt: row.attempt + 1 };
          this.#setRecipient({ ...row, ...next, state: "pending", outcome: null });
        }
        return;
      case "broadcasts_retry_counts": {
        const rows = this.#seenOf.filter(({ message_id }) => first.includes(message_id));
        for (const [id, own] of Map.groupBy(rows, ({ broadcast_id }) => broadcast_id))
          this.#set(id, ({ accepted }) => ({
            accepted: accepted - count(own, ({ state }) => state === "accepted"),
          }));
        return;
      }
      default:
        throw new Error(name);
    }
  }

  /** Contacts that are no recipients yet; none where there is no such broadcast. */
  #unknown(id: string, contacts: readonly string[], messages: readonly string[]) {
    const known = new Set(
      this.#seenOf.filter((row) => row.broadcast_id === id).map(({ contact_id }) => contact_id),
    );
    if (!this.#seen.has(id)) return [];
    return contacts.flatMap((contact_id, at) =>
      known.has(contact_id) ? [] : [{ contact_id, message_id: messages[at]! }],
    );
  }
  #add(id: string, contacts: readonly string[], messages: readonly string[]): void {
    for (const [at, each] of this.#unknown(id, contacts, messages).entries())
      this.#setRecipient({
        broadcast_id: id,
        number: this.#seen.get(id)!.audience + at + 1,
        contact_id: each.contact_id,
        message_id: each.message_id,
        attempt: 0,
        state: "pending",
        outcome: null,
        reason: null,
      });
  }
  #settled(id: string, messages: readonly string[], reasons: readonly (string | null)[]) {
    return this.#seenOf.flatMap((row) => {
      const at = messages.indexOf(row.message_id);
      if (at === -1 || row.broadcast_id !== id || row.state !== "pending") return [];
      return [{ row, reason: reasons[at]! }];
    });
  }
  #outcomes(
    messages: readonly string[],
    outcomes: readonly ("sent" | "failed")[],
    corrects: readonly boolean[],
  ) {
    return this.#seenOf.flatMap((row) => {
      const at = messages.indexOf(row.message_id);
      if (at === -1) return [];
      const outcome = outcomes[at]!;
      const changes =
        row.outcome === null ||
        (row.outcome !== outcome && (outcome === "failed" || corrects[at]!));
      return changes ? [{ row, outcome }] : [];
    });
  }

  /** Of one broadcast, in their order. */
  of(id: string): readonly RecipientRow[] {
    return [...this.recipients.values()]
      .filter((row) => row.broadcast_id === id)
      .toSorted((one, other) => one.number - other.number);
  }
  /** What the service reads of them. */
  readonly query = async ({
    name = "",
    text,
    values = [],
  }: Query): Promise<{ readonly rows: readonly object[] }> => {
    const [first, second] = loosely(values);
    switch (name) {
      case "broadcasts.jobs": {
        const jobs = [...this.broadcasts.values()].filter(
          ({ id, status, send_at }) =>
            (status === "running" || (status === "draft" && send_at !== null)) && id > first,
        );
        const ordered = jobs.toSorted((one, other) => (one.id < other.id ? -1 : 1));
        return { rows: ordered.slice(0, second).map(jobOf) };
      }
      case "broadcasts.next": {
        const rows = this.of(first).filter(({ state }) => state === "pending");
        return { rows: rows.slice(0, second) };
      }
      case "broadcasts.recipients_of": {
        const rows = [...this.recipients.values()];
        return { rows: rows.filter(({ message_id }) => first.includes(message_id)) };
      }
      default:
        if (!text.includes("as followed")) throw new Error(name || text);
        return { rows: [{ followed: this.#isFollowed(Date.now()) }] };
    }
  };
  #isFollowed(now: number): boolean {
    return [...this.broadcasts.values()].some(
      ({ started_at, ended_at }) =>
        started_at !== null && (ended_at === null || Date.parse(ended_at) > now - followedMs),
    );
  }
}
