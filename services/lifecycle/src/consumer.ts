import type { Environment } from "@heliograph/contracts";
import {
  createSequencer,
  filteredText,
  lifecycleBody,
  lifecycleSources,
  toLifecycle,
  type LifecycleEvent,
} from "@heliograph/domain";
import { lifecycleDdl } from "./tables/lifecycle.ts";
import { quoteSchema, type Projector } from "@heliograph/runtime";
import { readCounters, writeFeed, type FeedRow } from "./store.ts";

/** Small batches wait this long for company: at most ten commits a second. Who waits for the feed where it is written does not wait for that. */
const lingerMs = 100;
/** Who is far behind commits so many at once: by 500 an event costs a fifth more. */
const maxEvents = 2_000;

/** What an event does to the count of its partner: it is shown under the next number, or leaves numbers out. */
type Step = { readonly partner: string } & (
  | {
      readonly lifecycle: LifecycleEvent;
      readonly position: bigint;
      readonly filtered: string | undefined;
      readonly raisedBy?: undefined;
    }
  | { readonly lifecycle?: undefined; readonly raisedBy: number }
);

/** Projects the log onto the public feed, numbered per partner in position order. */
export const lifecycleProjector = (environment: Environment): Projector => ({
  kind: "projector",
  name: "lifecycle",
  schema: "lifecycle",
  version: 2,
  types: lifecycleSources,
  spaces: { events: "partner", sequences: "partner" },
  ddl: lifecycleDdl,
  lingerMs,
  maxEvents,
  create({ pool, schema }) {
    const sequencer = createSequencer();
    return {
      async project(events) {
        const steps = events.flatMap((event): Step[] => {
          if (event.type === "SequenceRaised")
            return [{ partner: event.data.partner_id, raisedBy: event.data.raised_by }];
          const lifecycle = toLifecycle(event, environment);
          if (lifecycle === undefined) return [];
          const { partner } = lifecycle;
          return [{ partner, lifecycle, position: event.position, filtered: filteredText(event) }];
        });
        if (steps.length === 0) return [];
        const unknown = new Set<string>();
        for (const { partner } of steps) if (!sequencer.knows(partner)) unknown.add(partner);
        if (unknown.size > 0) {
          const counters = await readCounters(pool, quoteSchema(schema), [...unknown]);
          for (const partner of unknown) sequencer.seed(partner, counters.get(partner) ?? 0);
        }
        const counters = new Map<string, number>();
        const rows: FeedRow[] = [];
        for (const step of steps) {
          const { partner } = step;
          const sequence = sequencer.raise(partner, step.raisedBy ?? 1);
          counters.set(partner, sequence);
          if (step.lifecycle === undefined) continue;
          const { lifecycle, position, filtered } = step;
          const body = lifecycleBody(lifecycle, sequence);
          rows.push({ partner, sequence, position, type: lifecycle.type, body, filtered });
        }
        return writeFeed(rows, counters);
      },
    };
  },
});
