import type { Environment } from "@heliograph/contracts";
import { createSequencer, lifecycleBody, lifecycleSources, toLifecycle } from "@heliograph/domain";
import { lifecycleDdl } from "./tables/lifecycle.ts";
import { quoteSchema, type Projector } from "@heliograph/runtime";
import { readCounters, writeFeed, type FeedRow } from "./store.ts";

/** Small batches wait this long for company: at most 50 commits a second, and a reader of the feed notices nothing. */
const lingerMs = 20;

/** Projects the log onto the public feed, numbered per partner in position order. */
export const lifecycleProjector = (environment: Environment): Projector => ({
  kind: "projector",
  name: "lifecycle",
  schema: "lifecycle",
  types: lifecycleSources,
  ddl: lifecycleDdl,
  lingerMs,
  create({ pool, schema }) {
    const sequencer = createSequencer();
    return {
      async project(events) {
        const mapped = events.flatMap((event) => {
          const lifecycle = toLifecycle(event, environment);
          return lifecycle === undefined ? [] : [{ lifecycle, position: event.position }];
        });
        if (mapped.length === 0) return [];
        const unknown = new Set<string>();
        for (const { lifecycle } of mapped)
          if (!sequencer.knows(lifecycle.partner)) unknown.add(lifecycle.partner);
        if (unknown.size > 0) {
          const counters = await readCounters(pool, quoteSchema(schema), [...unknown]);
          for (const partner of unknown) sequencer.seed(partner, counters.get(partner) ?? 0);
        }
        const counters = new Map<string, number>();
        const rows = mapped.map(({ lifecycle, position }): FeedRow => {
          const { partner, type } = lifecycle;
          const sequence = sequencer.next(partner);
          counters.set(partner, sequence);
          return { partner, sequence, position, type, body: lifecycleBody(lifecycle, sequence) };
        });
        return writeFeed(rows, counters);
      },
    };
  },
});
