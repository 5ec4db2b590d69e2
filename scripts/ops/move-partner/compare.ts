import { createHash, type Hash } from "node:crypto";
import { accountOf } from "@heliograph/contracts";
import { canonicalEvent, type CopySource, pagesOf, type RecordedEvent } from "@heliograph/log";

/** What a category of a partner's streams came to in one log. */
export type Sum = { readonly streams: number; readonly events: number; readonly sha256: string };
export type Balance = { readonly available: string; readonly held: string };
export type Sums = {
  readonly categories: ReadonlyMap<string, Sum>;
  /** By the wallet's stream. */
  readonly balances: ReadonlyMap<string, Balance>;
};
export type Compared = {
  readonly source: Sums;
  readonly copy: Sums;
  /** The first place where they differ. */
  readonly difference?: string;
};

/** Where it lives is what a move changes, on either side. */
const isOf = (partner: string, { type, metadata, data }: RecordedEvent): boolean =>
  type !== "PartnerPlaced" &&
  (accountOf(metadata.partner ?? "") === partner ||
    (data as { readonly partner_id?: unknown } | null)?.partner_id === partner);

/** Every event of a partner in a log, in the log's order, up to its end as of now. Throws the signal's reason. */
async function* eventsOf(
  log: CopySource,
  partner: string,
  signal: AbortSignal,
): AsyncGenerator<RecordedEvent, undefined> {
  for await (const { events } of pagesOf(log, { after: 0n, head: await log.head(), signal }))
    for (const event of events) if (isOf(partner, event)) yield event;
}

/** Adds up streams, events and a digest of them by category: streams are too many to name. */
class Adding {
  readonly #sums = new Map<string, { streams: number; events: number; hash: Hash }>();
  readonly #balances = new Map<string, Balance>();

  /** Gives the event's one line. */
  add(event: RecordedEvent): string {
    const category = event.stream.slice(0, event.stream.indexOf("-"));
    const sum = this.#sums.get(category) ?? { streams: 0, events: 0, hash: createHash("sha256") };
    this.#sums.set(category, sum);
    if (event.revision === 0) sum.streams++;
    sum.events++;
    // Each event of a wallet tells what is in it.
    const { available, held } = event.data as Partial<Balance>;
    if (category === "wallet" && available !== undefined && held !== undefined)
      this.#balances.set(event.stream, { available, held });
    const line = canonicalEvent(event);
    sum.hash.update(`${line}\n`);
    return line;
  }

  sums(): Sums {
    const all = [...this.#sums].toSorted(([left], [right]) => (left < right ? -1 : 1));
    const categories = all.map(([category, { streams, events, hash }]) => {
      return [category, { streams, events, sha256: hash.copy().digest("hex") }] as const;
    });
    return { categories: new Map(categories), balances: this.#balances };
  }
}

/** Reads both logs and compares every event of the partner: position, stream, revision, id, type, version, time, data and metadata. Goes on to the end of both, so that the sums are those of all. */
export async function comparePartner(
  logs: { readonly source: CopySource; readonly copy: CopySource },
  partner: string,
  signal: AbortSignal,
): Promise<Compared> {
  const source = new Adding();
  const copy = new Adding();
  const copied = eventsOf(logs.copy, partner, signal);
  let difference: string | undefined;
  const differ = (text: string): void => void (difference ??= text);
  for await (const original of eventsOf(logs.source, partner, signal)) {
    const line = source.add(original);
    const { value: other } = await copied.next();
    const at = `${original.type} of ${original.stream} at position ${original.position}`;
    if (other === undefined) differ(`the copy lacks ${at}`);
    else if (copy.add(other) !== line) differ(`${at} is another event in the copy`);
  }
  for await (const extra of copied) {
    copy.add(extra);
    differ(`only the copy has ${extra.type} of ${extra.stream} at position ${extra.position}`);
  }
  return {
    source: source.sums(),
    copy: copy.sums(),
    ...(difference !== undefined && { difference }),
  };
}
