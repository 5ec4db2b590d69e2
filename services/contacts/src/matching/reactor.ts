import { failpoint, streamOf } from "@heliograph/contracts";
import type { Batch } from "@heliograph/log";
import { type ReactorTools, type ServiceContext, quarantine, reactor } from "@heliograph/runtime";
import { type Opened, type Received, match, readOpened } from "./match.ts";

const name = "contact-matching";
/** Senders are independent of each other; so many at once keep the log's flushes full and leave connections to others. */
const maxSenders = 16;

/**
 * Finds out whose each inbound message is. Messages of one sender are matched in their order; their event ids follow from the message, so whatever is done twice is done once.
 */
export const matchingReactor = reactor({
  kind: "reactor",
  name,
  schema: "contact_matching",
  types: ["InboundReceived"],
  migrations: [],
  start: ({ context, checkpoint }: ReactorTools) => ({
    async handle({ events, position }: Batch<"InboundReceived">) {
      await matchAll(context, events);
      await failpoint("matching.before_commit");
      await checkpoint.commit(position);
    },
    async retry(event) {
      if (event.type !== "InboundReceived") return;
      const [reason] = await matchAll(context, [event]);
      if (reason !== undefined) throw new Error(reason);
    },
    stop: async () => undefined,
  }),
});

/** Gives why some were parked. */
async function matchAll(
  context: ServiceContext,
  events: readonly Received[],
): Promise<readonly string[]> {
  const open = await context.vault.open(undefined, ...events.map(({ data }) => data));
  const bySender = new Map<string, Opened[]>();
  for (const event of events) {
    const opened = readOpened(context, { ...event, data: open(event.data) });
    const sender = `${event.data.channel} ${opened.reading?.from ?? event.id}`;
    const waiting = bySender.get(sender);
    if (waiting === undefined) bySender.set(sender, [opened]);
    else waiting.push(opened);
  }
  const senders = [...bySender.values()];
  const reasons: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = senders.shift(); next !== undefined; next = senders.shift())
      for (const opened of next) {
        const reason = await matchOne(context, opened);
        if (reason !== undefined) reasons.push(reason);
      }
  };
  await Promise.all(Array.from({ length: Math.min(maxSenders, senders.length) }, work));
  return reasons;
}

/** Gives why it was parked, where an operator can do something about it. */
async function matchOne(context: ServiceContext, opened: Opened): Promise<string | undefined> {
  const { log, pool } = context;
  const { event } = opened;
  const stream = streamOf("inbound", event.data.inbound_id);
  for (;;) {
    const before = await log.readStream(stream);
    if (before.some(({ type }) => type === "InboundMatched")) return undefined;
    const matching = await match(context, opened);
    await failpoint("matching.before_append");
    const again = matching.kind === "parked" && before.some(({ type }) => type === "InboundParked");
    if (!again) {
      const expected = before.at(-1)!.revision;
      const [outcome] = await log.append([{ stream, expected, events: [matching.event] }]);
      await failpoint("matching.after_append");
      if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
      if (outcome!.kind === "conflict") continue;
    }
    if (matching.kind === "matched" || matching.forgotten) return undefined;
    await quarantine(pool, name, event, matching.reason);
    return matching.reason;
  }
}
