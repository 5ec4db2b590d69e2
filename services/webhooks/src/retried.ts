import type { Environment } from "@heliograph/contracts";
import type { EventLog, RecordedEvent } from "@heliograph/log";
import { readLifecycleBodies } from "@heliograph/read-models";
import type pg from "pg";
import { bodyOf, type Job } from "./job.ts";
import type { Lanes } from "./lanes.ts";
import type { Store } from "./store.ts";

/**
 * The deliveries that WebhookRetryRequested events ask for, with a schedule that starts anew and the very bodies they had. A body that is not kept with the
 * delivery comes from the feed, all of them in one query, or else is built again from the log. What is another partner's, unknown, or of an
 * endpoint that is not enabled is left out.
 */
export async function retried(
  requests: readonly RecordedEvent[],
  from: {
    readonly store: Store;
    readonly lanes: Lanes;
    readonly log: EventLog;
    readonly pool: pg.Pool;
    readonly environment: Environment;
  },
): Promise<Job[]> {
  const wanted = new Map(requests.map((event) => [event.data.delivery_id as string, event]));
  const rows = (await from.store.load([...wanted.keys()])).filter(
    ({ job }) =>
      wanted.get(job.id)!.metadata.partner === job.partner &&
      from.lanes.endpoint(job.endpointId)?.status === "enabled",
  );
  const without = rows.filter((row) => row.body === undefined).map((row) => row.job);
  // The feed is another service's: where it does not run, its table may be missing.
  const bodies =
    without.length === 0
      ? new Map<string, string>()
      : await readLifecycleBodies(from.pool, without).catch(() => new Map<string, string>());
  const jobs: Job[] = [];
  for (const { job, body: kept } of rows) {
    const body = kept ?? bodies.get(`${job.partner} ${job.sequence}`) ?? (await rebuilt(job));
    const correlation = wanted.get(job.id)!.metadata.correlation;
    const replay = correlation?.startsWith("rpl_") ? correlation : undefined;
    if (body !== undefined) jobs.push({ ...job, body, tries: 0, replay });
  }
  return jobs;

  async function rebuilt(job: Omit<Job, "body">): Promise<string | undefined> {
    const event = await from.log.readAt(job.position);
    return event && bodyOf(event, job.sequence, from.environment);
  }
}
