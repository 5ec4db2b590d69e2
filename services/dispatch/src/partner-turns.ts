/**
 * Partners of whom something waits, in the order of their next turn: who has had one is the last to have another, and who begins to wait is behind those that do. So one
 * with a million messages and one with ten have as many turns as long as both wait, and each waits for one turn of each of the others at most.
 * Lanes wait in one of these, because one whose gateways are full is passed over and keeps its turn; where nobody is passed over, the log's `FairQueue` shares.
 */
export class PartnerTurns<Waiting extends { readonly size: number }> {
  readonly #partners = new Map<string, Waiting>();
  readonly #open: () => Waiting;

  constructor(open: () => Waiting) {
    this.#open = open;
  }

  get size(): number {
    return this.#partners.size;
  }
  /** What waits of a partner, to add to it. */
  of(partner: string): Waiting {
    let waiting = this.#partners.get(partner);
    if (waiting === undefined) this.#partners.set(partner, (waiting = this.#open()));
    return waiting;
  }
  /** How much waits of a partner. */
  sizeOf(partner: string): number {
    return this.#partners.get(partner)?.size ?? 0;
  }
  /** Who has had a turn meanwhile comes again, behind all others; who was passed over does not, and keeps his place. */
  [Symbol.iterator](): Iterator<[string, Waiting]> {
    return this.#partners.entries();
  }
  had(partner: string): void {
    const waiting = this.#partners.get(partner);
    this.#partners.delete(partner);
    if (waiting !== undefined && waiting.size > 0) this.#partners.set(partner, waiting);
  }
}
