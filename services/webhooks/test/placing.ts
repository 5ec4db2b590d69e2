import { newId, shardOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Feed } from "@heliograph/runtime";

export const shards = 4;

/** A new partner of a shard. */
export function partnerIn(shard: number): string {
  for (;;) {
    const id = newId("ptn");
    if (shardOf(id, shards) === shard) return id;
  }
}

/** A feed over the log itself that gives a copy some of the shards. */
export function placing(
  log: EventLog,
  mine: readonly number[],
): { feed: Feed; place(next: readonly number[]): void } {
  let placed = mine;
  let changed = (): void => undefined;
  return {
    feed: {
      shards,
      join: () => ({
        assigned: ({ index }) => placed.includes(index),
        onChange: (listener) => void (changed = listener),
        async *subscribe({ after, shard, signal, maxEvents }) {
          const limit = maxEvents === undefined ? {} : { maxEvents };
          for await (const batch of log.subscribe({ after, signal, ...limit }))
            yield {
              ...batch,
              events: batch.events.filter(
                ({ metadata }) => shardOf(metadata.partner, shards) === shard!.index,
              ),
            };
        },
        leave: async () => undefined,
      }),
    },
    place(next) {
      placed = next;
      changed();
    },
  };
}
