import { newId, shardOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { onlyShard, type Feed } from "@heliograph/runtime";

/** A feed over the log itself whose shards go where they are placed: what tests of divided consumers have instead of a consumer group. */
export function placedFeed(
  log: EventLog,
  shards: number,
  mine: readonly number[] = [],
): { readonly feed: Feed; place(next: readonly number[]): void } {
  let placed = mine;
  const listeners: (() => void)[] = [];
  return {
    feed: {
      shards,
      join: () => ({
        assigned: ({ index }) => placed.includes(index),
        onChange: (listener) => void listeners.push(listener),
        subscribe({ after, shard, signal, maxEvents = 500 }) {
          const batches = log.subscribe({ after, signal, maxEvents });
          return shard === undefined ? batches : onlyShard(batches, shard);
        },
        leave: async () => undefined,
      }),
    },
    place(next) {
      placed = next;
      for (const listener of listeners) listener();
    },
  };
}

/** A new partner of a shard. */
export function partnerIn(shard: number, shards: number): string {
  for (;;) {
    const id = newId("ptn");
    if (shardOf(id, shards) === shard) return id;
  }
}
