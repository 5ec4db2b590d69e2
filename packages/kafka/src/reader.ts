import type { Shard } from "@heliograph/contracts";
import type { Loss } from "./losses.ts";

/** One who reads: where it stands, and up to where everything it was given is stored. */
export type Reader = {
  readonly shard: Shard | undefined;
  position: bigint;
  /** Up to here the topic had everything: the reader before it in this process was given it, and left before it had stored it. */
  readonly given: bigint;
  readonly durable: () => bigint;
  readonly stop: AbortSignal;
  wake: () => void;
  /** Read from the log, and not known to be stored yet. */
  readonly losses: Loss[];
};

/** What a reader leaves to the next one of its place. */
export type Left = {
  readonly position: bigint;
  readonly durable: bigint;
  readonly losses: readonly Loss[];
};

/** Up to where records have been taken out of the lanes for this reader, or for one before it. */
export const reach = ({ position, given }: Reader): bigint => (given > position ? given : position);
export const least = (one: bigint, other: bigint): bigint => (one < other ? one : other);
