import { failpoint, streamOf } from "@heliograph/contracts";
import type { Batch, RecordedEvent } from "@heliograph/log";
import { type ReactorTools, type ServiceContext, quarantine, reactor } from "@heliograph/runtime";
import { rememberedMs } from "@heliograph/vault";
import { forgetErased } from "./forget.ts";
import { type Opened, type Received, match, readOpened } from "./match.ts";

const name = "contact-matching";
/** Senders are independent of each other; so many messages at once keep the log's flushes full and leave connections to others. */
const maxAtOnce = 16;

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
  const reasons: string[] = [];
  for (const event of events) {
    const opened = await readOpened(context, { ...event, data: open(event.data) });
    if (opened.reading?.movedTo !== undefined) {
      reasons.push(...(await matchEach(context, [opened])));
      continue;
    }
    const sender = `${event.data.channel} ${opened.reading?.from ?? event.id}`;
    const waiting = bySender.get(sender);
    if (waiting === undefined) bySender.set(sender, [opened]);
    else waiting.push(opened);
  }
  const senders = [...bySender.values()];
  const maxTogether = Math.ceil(maxAtOnce / Math.max(1, senders.length));
  const work = async (): Promise<void> => {
    for (let next = senders.shift(); next !== undefined; next = senders.shift())
      for (let at = 0; at < next.length; at += maxTogether)
        reasons.push(...(await matchTogether(context, next.slice(at, at + maxTogether))));
  };
  await Promise.all(Array.from({ length: Math.min(maxAtOnce, senders.length) }, work));
  return reasons;
}

/**
 * Messages of one sender, in their order. The first finds the contact, or makes it; those behind it look at once for what is there by then, and all that was found is one append.
 * What is to be parked, and all that comes behind it, is done one by one; so is whatever met another writer at its stream.
 */
async function matchTogether(
  context: ServiceContext,
  messages: readonly Opened[],
): Promise<readonly string[]> {
  const [first, ...rest] = messages;
  if (rest.length === 0) return matchEach(context, messages);
  const began = performance.now();
  const found = [await findOne(context, first!)];
  found.push(...(await Promise.all(rest.map((opened) => findOne(context, opened)))));
  const end = found.findIndex((one) => one?.matching.kind === "parked");
  const plain = found.slice(0, end < 0 ? found.length : end);
  const appends = plain
    .filter((one) => one !== undefined)
    .map(({ stream, expected, matching }) => ({ stream, expected, events: [matching.event] }));
  await failpoint("matching.before_append");
  const outcomes = appends.length === 0 ? [] : await context.log.append(appends);
  await failpoint("matching.after_append");
  // Looked at again one by one: what is matched by now is found so, and passed.
  const sound =
    !isLate(began) && outcomes.every(({ kind }) => kind === "appended" || kind === "duplicate");
  return matchEach(context, sound ? messages.slice(plain.length) : messages);
}

async function matchEach(
  context: ServiceContext,
  messages: readonly Opened[],
): Promise<readonly string[]> {
  const reasons: string[] = [];
  for (const opened of messages) {
    const reason = await matchOne(context, opened);
    if (reason !== undefined) reasons.push(reason);
  }
  return reasons;
}

/** An erasure looks again when that has passed since it began. Whoever looked at a contact before, and tells of it after that, is not seen by it. */
const isLate = (began: number): boolean => performance.now() - began >= rememberedMs;

/** What is to be said of a message, and where; undefined when it was matched before, or nothing is to be said there. */
async function findOne(context: ServiceContext, opened: Opened) {
  const stream = streamOf("inbound", opened.event.data.inbound_id);
  const before = await context.log.readStream(stream);
  const matched = before.find(({ type }) => type === "InboundMatched");
  if (matched !== undefined) {
    // Whoever told of it may have been late, and died before he looked again.
    await forgetErased(context, opened.event, matched as RecordedEvent<"InboundMatched">);
    return undefined;
  }
  const parkedBefore = before.some(({ type }) => type === "InboundParked");
  const matching = await match(context, opened);
  if (matching === undefined) return undefined;
  return { stream, expected: before.at(-1)!.revision, matching, parkedBefore };
}

/** Gives why it was parked, where an operator can do something about it. */
async function matchOne(context: ServiceContext, opened: Opened): Promise<string | undefined> {
  const { log, pool } = context;
  for (;;) {
    const began = performance.now();
    const found = await findOne(context, opened);
    if (found === undefined) return undefined;
    const { stream, expected, matching } = found;
    await failpoint("matching.before_append");
    if (matching.kind === "matched" || !found.parkedBefore) {
      const [outcome] = await log.append([{ stream, expected, events: [matching.event] }]);
      await failpoint("matching.after_append");
      if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
      // Late, it is looked at once more, as what is matched.
      if (outcome!.kind === "conflict" || (matching.kind === "matched" && isLate(began))) continue;
    }
    if (matching.kind === "matched" || matching.forgotten) return undefined;
    await quarantine(pool, name, opened.event, matching.reason);
    return matching.reason;
  }
}
