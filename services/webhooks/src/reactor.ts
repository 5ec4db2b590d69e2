import { accountOf } from "@heliograph/contracts";
import {
  createSequencer,
  endpointEventTypes,
  evolveEndpoint,
  isEndpointNotice,
  lifecycleBody,
  lifecycleSources,
  lifecycleSubject,
  lifecycleTypeOf,
  toLifecycle,
  type Sequencer,
} from "@heliograph/domain";
import { ofType, type Batch, type RecordedEvent } from "@heliograph/log";
import { beforeReplayDdl, replayedDdl } from "./tables/replayed.ts";
import { tracesDdl } from "./tables/traces.ts";
import { batchDdl } from "./tables/batch.ts";
import { healthDdl } from "./tables/health.ts";
import { orderDdl } from "./tables/order.ts";
import { setAtDdl, setBacksDdl } from "./tables/set-at.ts";
import { statisticsDdl } from "./tables/statistics.ts";
import type { Notice } from "./tables/notices.ts";
import { webhooksDdl } from "./tables/webhooks.ts";
import type { Reactor, ReactorInstance, ReactorTools } from "@heliograph/runtime";
import { Courier, type CourierOptions } from "./courier.ts";
import { Health } from "./health.ts";
import { newJob, publicEvent, type Job, type Slot } from "./job.ts";
import { Lanes } from "./lanes.ts";
import { startPruning } from "./prune.ts";
import { retried } from "./retried.ts";
import { openSetBacks, type SetBacks } from "./set-back.ts";
import { openStore, releaseAll, type Failing, type Store } from "./store.ts";
import { Tally } from "./tally.ts";
import { newSlot, Window } from "./window.ts";

const types = [
  ...new Set([
    ...lifecycleSources,
    ...endpointEventTypes,
    "WebhookTestRequested" as const,
    "WebhookRetryRequested" as const,
    "WebhookReplayCanceled" as const,
  ]),
];
type ConsumedType = (typeof types)[number];
/** `store`: where there is no database. */
type Options = CourierOptions & { readonly store?: Store };
const isEndpointEvent = ofType(...endpointEventTypes);

/** Folds endpoints, matches lifecycle events and hands deliveries to the courier. */
export const webhooksReactor = (options: Options = {}): Reactor => ({
  kind: "reactor",
  name: "webhooks",
  schema: "webhooks",
  types,
  spaces: { deliveries: "partner", sequences: "partner" },
  sharded: true,
  migrations: [
    webhooksDdl,
    statisticsDdl,
    healthDdl,
    orderDdl,
    batchDdl,
    replayedDdl,
    tracesDdl,
    beforeReplayDdl,
    setAtDdl,
    setBacksDdl,
  ],
  start: (tools) => start(tools, options),
});

async function start(
  tools: ReactorTools,
  options: Options,
): Promise<ReactorInstance<ConsumedType>> {
  const { context } = tools;
  const store = options.store ?? openStore(context.pool, tools.schema, tools.shard);
  const [endpoints, waited] = [await store.endpoints(), await store.waited()];
  const setBacks = openSetBacks(tools.checkpoint, store, tools.shard?.index);
  await setBacks.goOn(waited, Date.now());
  const ordered = endpoints.filter(({ ordering }) => ordering !== undefined).map(({ id }) => id);
  if (ordered.length > 0) {
    const { position } = tools.checkpoint;
    await tools.checkpoint.commit(position, [releaseAll(ordered, position, Date.now())]);
  }
  const [counters, failing] = [await store.counters(), await store.failing()];
  const lanes = new Lanes(context.masterKey, endpoints);
  const sequencer = createSequencer(counters, true);
  const recoverUntil = await context.log.head();
  const given = { tools, options, store, lanes, sequencer, setBacks, waited, failing };
  return new Instance({ ...given, recoverUntil });
}

type Given = {
  readonly tools: ReactorTools;
  readonly options: CourierOptions;
  readonly store: Store;
  readonly lanes: Lanes;
  readonly sequencer: Sequencer;
  readonly setBacks: SetBacks;
  /** Endpoints that have something pending. */
  readonly waited: readonly string[];
  readonly failing: readonly Failing[];
  /** Whatever a predecessor recorded above its checkpoint belongs to events up to here; later ones need no look at the table. */
  readonly recoverUntil: bigint;
};

const noticeOf = ({
  id,
  type,
  data,
  metadata,
}: RecordedEvent<Notice["event"]["type"]>): Notice => ({
  eventId: id,
  partner: accountOf(metadata.partner ?? ""),
  event: { type, data } as Notice["event"],
});

const isNoticeOf = (endpointId: string, event: RecordedEvent): boolean =>
  isEndpointNotice(event) && event.data.endpoint_id === endpointId;

/** The reactor of one owner, from its start until it stops. */
class Instance implements ReactorInstance<ConsumedType> {
  readonly #given: Given;
  readonly #window: Window;
  readonly #courier: Courier;
  readonly #health: Health;
  readonly #stopPruning: () => void;

  constructor(given: Given) {
    const { tools, options, store, lanes, setBacks, waited, failing } = given;
    this.#given = given;
    const tally = new Tally();
    const { environment, settings } = tools.context;
    const health = new Health(settings.webhookDisableAfterMs[environment], failing);
    this.#health = health;
    this.#window = new Window(tools.checkpoint, tools.fail, tally, health, {
      pending: (job, at, batch) => this.#courier.onRecord(job, at, batch),
      moved: (endpointId, at) => this.#courier.pendingAt(endpointId, at),
      mayRelease: (endpointId, subject) => {
        const lane = lanes.open(endpointId);
        return lane !== undefined && lane.behind && !lane.chains.has(subject);
      },
      subjectsOf: (replays) => store.subjectsOf(replays, "replay"),
      waitingFor: (endpointIds) => store.subjectsOf(endpointIds, "endpoint_id"),
      setBack: setBacks.happened,
      now: () => this.#courier.now(),
    });
    this.#courier = new Courier(tools, store, lanes, this.#window, tally, health, options);
    this.#stopPruning = startPruning(tools, store);
    // Looked at once whatever its time: the clock may have been set back meanwhile.
    for (const endpointId of waited) this.#courier.pendingAt(endpointId, Date.now());
  }

  async handle(batch: Batch<ConsumedType>): Promise<void> {
    const { store, recoverUntil, lanes, tools } = this.#given;
    const { log, environment, directory } = tools.context;
    const isOver = ({ partner }: Pick<Job, "partner">): boolean =>
      directory.isOver(environment, partner);
    await this.#courier.room();
    const slot = newSlot(batch.position, performance.now());
    let jobs: Job[] = [];
    let before: readonly Job[] = [];
    const again: RecordedEvent<"WebhookRetryRequested">[] = [];
    for (const event of batch.events) {
      if (isEndpointEvent(event)) this.#fold(event, slot);
      if (isEndpointNotice(event) && event.type !== "WebhookEndpointEnabled")
        slot.notices.push(noticeOf(event));
      if (event.type === "WebhookTestRequested") this.#test(event, jobs);
      else if (event.type === "WebhookRetryRequested") again.push(event);
      else if (event.type === "WebhookReplayCanceled") this.#cancel(event, slot);
      else if (event.type === "SequenceRaised") this.#raise(event, slot);
      else this.#match(event, slot, jobs);
    }
    if (jobs.length > 0 && batch.events[0]!.position <= recoverUntil) {
      const known = await store.known(jobs.map((job) => job.id));
      before = jobs.filter((job) => known.has(job.id));
      jobs = jobs.filter((job) => !known.has(job.id));
    }
    if (again.length > 0) {
      const left = this.#courier.memory.noteLeft();
      await this.#window.flush();
      for (const job of await retried(again, { store, lanes, log, environment, isOver }))
        jobs.push({ ...job, attempts: left.get(job.id)?.attempts ?? job.attempts });
    }
    this.#window.push(slot);
    for (const id of slot.moved.keys()) this.#courier.moved(id);
    for (const id of slot.loosened.keys()) this.#courier.loosened(id);
    for (const id of slot.endpoints.keys()) this.#courier.changed(id);
    // A predecessor may have left them pending, above its checkpoint and of an endpoint as new: nobody knows yet that they are due, nor that what follows has to wait.
    for (const job of before) this.#courier.pendingAt(job.endpointId, Date.now());
    this.#courier.deliver(jobs, slot);
    for (const [id, endpointId] of slot.canceled) this.#courier.canceled(endpointId, id);
    // What was held is due once all that came before it was looked at.
    for (const job of before) this.#window.release(job);
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopPruning();
    return this.#courier.stop(deadlineMs);
  }

  #fold(event: RecordedEvent<(typeof endpointEventTypes)[number]>, slot: Slot): void {
    const { lanes } = this.#given;
    const before = lanes.endpoint(event.data.endpoint_id);
    const after = evolveEndpoint(before, event);
    if (after === undefined || after === before) return;
    lanes.set(after);
    slot.endpoints.set(after.id, {
      endpoint: after,
      position: slot.endpoints.get(after.id)?.position ?? event.position,
    });
    if (after.status !== "enabled") slot.closed.set(after.id, event.position);
    else if (before !== undefined && before.url !== after.url)
      slot.moved.set(after.id, event.position);
    if (before !== undefined && before.ordering !== undefined && after.ordering === undefined)
      slot.loosened.set(after.id, event.position);
    if (slot.closed.has(after.id) || slot.moved.has(after.id)) this.#health.forget(after.id);
  }

  #cancel({ data, metadata }: RecordedEvent<"WebhookReplayCanceled">, slot: Slot): void {
    const partner = accountOf(metadata.partner ?? "");
    if (this.#given.lanes.endpoint(data.endpoint_id)?.partner === partner)
      slot.canceled.set(data.replay_id, data.endpoint_id);
  }

  #raise({ data }: RecordedEvent<"SequenceRaised">, slot: Slot): void {
    const { sequencer } = this.#given;
    slot.counters.set(data.partner_id, sequencer.raise(data.partner_id, data.raised_by));
  }

  #match(event: RecordedEvent, slot: Slot, jobs: Job[]): void {
    const type = lifecycleTypeOf(event);
    if (type === undefined) return;
    const partner = event.metadata.partner!;
    const sequence = this.#given.sequencer.next(partner);
    slot.counters.set(partner, sequence);
    const { environment } = this.#given.tools.context;
    let lifecycle, body;
    for (const endpoint of this.#given.lanes.matching(accountOf(partner), type, event)) {
      // That it was disabled is nothing that it missed.
      if (endpoint.status !== "enabled" && isNoticeOf(endpoint.id, event)) continue;
      lifecycle ??= toLifecycle(event, environment)!;
      body ??= lifecycleBody(lifecycle, sequence);
      const job = newJob(lifecycle, event.position, sequence, body, endpoint.id, event.recordedAt);
      job.traceparent = event.metadata.traceparent;
      jobs.push(
        endpoint.ordering === undefined ? job : { ...job, subject: lifecycleSubject(lifecycle) },
      );
    }
  }

  #test(event: RecordedEvent<"WebhookTestRequested">, jobs: Job[]): void {
    const partner = accountOf(event.metadata.partner ?? "");
    if (this.#given.lanes.endpoint(event.data.endpoint_id)?.partner !== partner) return;
    const { environment } = this.#given.tools.context;
    const sample = publicEvent(event, environment)!;
    const { endpoint_id, delivery_id } = event.data;
    const body = lifecycleBody(sample, 0);
    const { position, recordedAt } = event;
    const job = newJob(sample, position, 0, body, endpoint_id, recordedAt, delivery_id);
    jobs.push({ ...job, urgent: true });
  }
}
