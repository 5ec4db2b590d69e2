/** What chance decides: the same for the same seed. */
export type Chance = {
  draw(): number;
  oneOf<Item>(items: readonly Item[]): Item;
  /** Never once the storm is over. */
  goesWrong(share: number): boolean;
};

/** What an owner is to those around its reactor. */
export type Ways = {
  /** It may not happen, or nobody may hear of it. */
  inFlight<Result>(act: () => Promise<Result>): Promise<Result>;
  isPresent(): boolean;
  isDead(): boolean;
  /** All events up to here are dealt with. */
  handled(): bigint;
  /** None behind this was handed over. */
  fed(): bigint;
};
