import { type Environment, PublicError, streamOf } from "@heliograph/contracts";
import { readMessage, walletEntryOf, walletEventTypes } from "@heliograph/domain";
import { type RecordedEvent, ofType } from "@heliograph/log";
import { walletPositions, walletSchema } from "@heliograph/wallet";
import { type EnvironmentDeps, reasonOf, seenUntil, whatHappened } from "@heliograph/api";

/** So long a timeline waits for the wallet's read model, which is a tenth of a second behind where nobody waits for it: without it the last moment would lack its wallet events. */
const walletWaitMs = 500;

export const messageNotFound = (): PublicError =>
  new PublicError("not_found", "There is no such message.");

/**
 * Everything that happened to a message, oldest first: its own events, the receipts and the wallet's decisions about it. They come by three reads while the message
 * goes on; what came after the first is left out, so that no effect is shown without its cause.
 */
export async function readTimeline(
  deps: EnvironmentDeps,
  environment: Environment,
  partner: string,
  id: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const head = await deps.log.head();
  const found = await readMessage(deps.log, partner, id, head);
  if (found === undefined) throw messageNotFound();
  const { events, state } = found;
  const model = { schema: walletSchema, partner };
  await seenUntil(deps, model, events.at(-1)!.position, walletWaitMs, signal);
  const [receipts, wallet] = await Promise.all([
    deps.log.readStream(streamOf("receipts", id)),
    walletEvents(deps, state.id),
  ]);
  const data = [...events, ...receipts, ...wallet]
    .filter(({ position }) => position <= head)
    .toSorted((left, right) => (left.position < right.position ? -1 : 1));
  const entries = data.map((event) => timelineEntry(event, id));
  const open = await deps.vault.open(partner, entries);
  return { message_id: id, environment, data: open(entries) };
}

/** The wallet's read model says where to look. */
async function walletEvents(deps: EnvironmentDeps, id: string): Promise<readonly RecordedEvent[]> {
  const positions = (await walletPositions(deps.projectionPool, [id])).get(id) ?? [];
  const events = await Promise.all(positions.map((position) => deps.log.readAt(position)));
  return events.filter((event) => event !== undefined);
}

/** A wallet event holds many messages: only this one's entry is shown. */
function timelineEntry(event: RecordedEvent, id: string): Record<string, unknown> {
  const own = isWalletEvent(event)
    ? { ...walletEntryOf(event, id), available: event.data.available, held: event.data.held }
    : event.data;
  const reason = reasonOf(event.data);
  return {
    ...whatHappened(event),
    data: own,
    ...(reason !== undefined && { reason }),
  };
}

const isWalletEvent = ofType(...walletEventTypes);
