import type { Environment } from "@heliograph/contracts";
import type { EventLog, RecordedEvent } from "@heliograph/log";
import { bodyOf, type Job } from "./job.ts";
import type { Lanes } from "./lanes.ts";
import type { LoadedRow, Store } from "./store.ts";

/** Each takes a connection for reads of the log, which others need too. */
const readsAtOnce = 4;

/** Whose a delivery becomes. What waited by itself is no replay's: it would be sent without, and is when that is canceled. */
function askedBy(
  replay: string | undefined,
  { job, status }: LoadedRow,
): Pick<Job, "replay" | "before"> {
  const waits = status === "pending";
  if (replay === undefined || (waits && job.replay === undefined))
    return { replay: undefined, before: undefined };
  return { replay, before: waits ? job.before : status };
}

/**
 * The deliveries that WebhookRetryRequested events ask for, with a schedule that starts anew and the very bodies they had. A body that is not kept with the
 * delivery is built again from the log, by the mapping that made it. What is another partner's, unknown, or of an endpoint that is not enabled is left out.
 */
export async function retried(
  requests: readonly RecordedEvent<"WebhookRetryRequested">[],
  from: {
    readonly store: Store;
    readonly lanes: Lanes;
    readonly log: EventLog;
    readonly environment: Environment;
    readonly isOver: (job: Pick<Job, "partner">) => boolean;
  },
): Promise<Job[]> {
  const wanted = new Map(requests.map((event) => [event.data.delivery_id, event]));
  const rows = (await from.store.load([...wanted.keys()])).filter(
    ({ job }) =>
      wanted.get(job.id)!.metadata.partner === job.partner &&
      !from.isOver(job) &&
      from.lanes.endpoint(job.endpointId)?.status === "enabled",
  );
  const bodies = new Map<string, string>();
  const without = rows.filter((row) => row.body === undefined);
  for (let start = 0; start < without.length; start += readsAtOnce)
    await Promise.all(
      without.slice(start, start + readsAtOnce).map(async ({ job }) => {
        const body = await rebuilt(job);
        if (body !== undefined) bodies.set(job.id, body);
      }),
    );
  const jobs: Job[] = [];
  for (const row of rows) {
    const { job } = row;
    const body = row.body ?? bodies.get(job.id);
    const correlation = wanted.get(job.id)!.metadata.correlation;
    const replay = correlation?.startsWith("rpl_") ? correlation : undefined;
    const urgent = replay === undefined;
    if (body !== undefined) jobs.push({ ...job, body, tries: 0, urgent, ...askedBy(replay, row) });
  }
  return jobs;

  async function rebuilt(job: Omit<Job, "body">): Promise<string | undefined> {
    const event = await from.log.readAt(job.position);
    return event && bodyOf(event, job.sequence, from.environment);
  }
}
