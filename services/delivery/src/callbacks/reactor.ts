import { failpoint } from "@heliograph/contracts";
import { tellsLater } from "@heliograph/gateways";
import type { Batch, RecordedEvent } from "@heliograph/log";
import { quarantine, reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { maxParked, openParked } from "../parked.ts";
import { parkedDdl, parkedPartnerDdl, readParked } from "../store.ts";
import { addProviderIds, providerIdsDdl } from "../tables/provider-ids.ts";
import { partsDdl } from "../tables/parts.ts";
import { countItems } from "./count.ts";
import { interpret } from "./interpret.ts";
import type { CallbackEvent } from "./reading.ts";
import { openParts } from "./parts.ts";
import { providerIdsOf, standInsOf, type SentEvent } from "./provider-ids.ts";
import { adoptAll, recall, record } from "./record.ts";

const name = "callbacks";
/** Whoever reads history again finds messages by the same names. */
export const callbacksSchema = "provider_callbacks";
type ConsumedType = "CallbackReceived" | "MessageSent" | "MessageResent";

/**
 * Reads what providers sent by themselves, after it was stored: receipts go to their message, whichever process sent it, what people wrote becomes `InboundReceived`. A report on
 * a message that is not known yet is parked, as receipts are, until its `MessageSent` comes. Whatever is done twice is done once: ids follow from what the provider said.
 */
export const callbacksReactor = reactor({
  kind: "reactor",
  name,
  schema: callbacksSchema,
  types: ["CallbackReceived", "MessageSent", "MessageResent"],
  // What a gateway sent whose provider never reports has nothing to be found by.
  concerns: (event) => event.type === "CallbackReceived" || tellsLater(event.data.gateway_kind),
  // Each is read and recorded on its own.
  maxEvents: 100,
  spaces: { provider_ids: "partner" },
  migrations: [parkedDdl, providerIdsDdl, partsDdl, parkedPartnerDdl],
  start,
});

async function start(tools: ReactorTools): Promise<ReactorInstance<ConsumedType>> {
  const { context, schema, checkpoint, fail, logger } = tools;
  const parked = openParked(await readParked(context.pool, schema, maxParked), checkpoint, fail);
  const parts = openParts(tools);

  /** Makes messages known by what their providers call them, and gives them what waited. */
  async function learn(events: readonly SentEvent[]): Promise<void> {
    const ids = await providerIdsOf(context, events);
    await addProviderIds(context.pool, schema, ids);
    const waited = ids.flatMap((message) =>
      standInsOf(context, message)
        .filter(parked.has)
        .map((standIn) => ({ message, standIn })),
    );
    if (waited.length === 0) return;
    await recall(context, waited);
    for (const { standIn } of waited) parked.remove(standIn);
  }

  /** Gives what an operator has to look at, by the callback. */
  async function tell(
    events: readonly CallbackEvent[],
  ): Promise<ReadonlyMap<CallbackEvent, string>> {
    const told = await interpret({ context, schema }, events);
    await failpoint("callbacks.read");
    await adoptAll(context.vault, told.receipts);
    await record(context, told);
    await parts.take(told.parts);
    for (const { standIn, waits } of told.unmatched)
      if (waits && !parked.add(standIn, undefined, Date.now()))
        logger.warn({ standIn }, "too many receipts wait; this one is kept in the log only");
    countItems(context.environment, told);
    return told.faults;
  }

  return {
    async handle({ events, position }: Batch<ConsumedType>) {
      await learn(events.filter(isSent));
      const faults = await tell(events.filter(isCallback));
      for (const [event, why] of faults) await quarantine(context.pool, name, event, why);
      await failpoint("callbacks.before_commit");
      parked.reached(position);
    },
    async retry(event) {
      if (isSent(event)) return learn([event]);
      const [why] = (await tell([event as CallbackEvent])).values();
      if (why !== undefined) throw new Error(why);
    },
    async stop() {
      await parts.close();
      await parked.flush();
    },
  };
}

const isCallback = (event: RecordedEvent<ConsumedType>): event is CallbackEvent =>
  event.type === "CallbackReceived";
const isSent = (event: RecordedEvent<ConsumedType>): event is SentEvent => !isCallback(event);
