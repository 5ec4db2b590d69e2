import { failpoint } from "@heliograph/contracts";
import { createSequencer, lifecycleSources, toLifecycle } from "@heliograph/domain";
import type { Batch } from "@heliograph/log";
import {
  atMost,
  pause,
  type KafkaSettings,
  type Reactor,
  type ReactorInstance,
  type ReactorTools,
} from "@heliograph/runtime";
import { readAllCounters, topicsDdl, writeCounters } from "../store.ts";
import { openOutlet } from "./outlet.ts";
import { topicRecords } from "./record.ts";

/**
 * Small batches follow each other no faster than this: what they cost is the requests and their batches per partition, and what comes meanwhile shares one. With 800 messages a second in one process
 * 20 ms took its CPU from 1.02 to 0.89 ms a message, and 40 ms brought no more. A lone event does not wait.
 */
const spacingMs = 20;
const fewRecords = 250;

/**
 * Publishes lifecycle events to the public topics, in order of position and under the numbers of the feed: it counts the same events from the same log (one that was set aside and is retried later gets the number that is next then, here and there each for itself). At least once:
 * what was published and not yet noted when the process died is published again, under the same ids.
 */
export const topicsReactor = (settings: KafkaSettings): Reactor => ({
  kind: "reactor",
  name: "topics",
  schema: "topics",
  types: lifecycleSources,
  spaces: { sequences: "partner" },
  migrations: [topicsDdl],
  maxEvents: 1_000,
  start: (tools) => start(settings, tools),
});

async function start(settings: KafkaSettings, tools: ReactorTools): Promise<ReactorInstance> {
  const { context, checkpoint, schema, logger, stopping } = tools;
  const { environment } = context;
  const sequencer = createSequencer(await readAllCounters(context.pool, schema), true);
  const ownTopics = new Set(settings.partnerTopics);
  const outlet = openOutlet(settings, environment, logger, stopping);
  /** One batch is under way while the next is being made. */
  let flight: Promise<void> = Promise.resolve();
  /** Stopped while the brokers were away: nothing after that may be noted. */
  let gaveUp = false;

  return {
    async handle(batch: Batch) {
      // Mapped first: an event that cannot be mapped fails before anything is counted.
      const events = batch.events.flatMap((event) =>
        event.type === "SequenceRaised" ? event : (toLifecycle(event, environment) ?? []),
      );
      const counters = new Map<string, number>();
      const records = events.flatMap((event) => {
        if (event.type === "SequenceRaised") {
          const { partner_id, raised_by } = event.data;
          counters.set(partner_id, sequencer.raise(partner_id, raised_by));
          return [];
        }
        const sequence = sequencer.next(event.partner);
        counters.set(event.partner, sequence);
        return topicRecords(event, sequence, ownTopics);
      });
      await flight;
      if (gaveUp) return;
      flight = (async () => {
        if (!(await outlet.publish(records))) {
          gaveUp = true;
          return;
        }
        if (records.length > 0) await failpoint("topics.after_send");
        await checkpoint.commit(
          batch.position,
          counters.size === 0 ? [] : [writeCounters(counters)],
        );
      })();
      flight.catch(tools.fail);
      if (records.length > 0 && records.length < fewRecords) await pause(spacingMs, stopping);
    },
    async stop(deadlineMs) {
      await atMost(flight, deadlineMs);
      await outlet.close(deadlineMs);
    },
  };
}
