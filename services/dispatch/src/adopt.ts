import { shardOf, streamOf, type Shard } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Store } from "./store.ts";

const streamsAtOnce = 500;

/**
 * Timers of the time before the dispatcher was divided belong to no shard yet: the partner, who decides it, is in the message's first event. Every shard does this for all of them
 * before it begins; doing it twice writes the same.
 */
export async function adoptTimers(store: Store, log: EventLog, shard: Shard): Promise<void> {
  for (;;) {
    const ids = await store.timersWithoutShard(streamsAtOnce);
    if (ids.length === 0) return;
    const streams = await log.readStreams(
      ids.map((id) => streamOf("message", id)),
      { limit: 1 },
    );
    const shards = ids.map((id) =>
      shardOf(streams.get(streamOf("message", id))?.[0]?.metadata.partner, shard.count),
    );
    await store.assignTimers(ids, shards);
  }
}
