import { isId, streamOf } from "@heliograph/contracts";
import { type FoldableEvent, type MessageState, foldMessage } from "./message.ts";

/**
 * A partner's message folded from the log itself, so it is always fresh; undefined when there is none, also for another partner's message.
 * `asOf` leaves out what came after that position.
 */
export async function readMessage<Event extends FoldableEvent>(
  log: { readStream(stream: string): Promise<readonly Event[]> },
  partner: string,
  id: string,
  asOf?: bigint,
): Promise<{ readonly state: MessageState; readonly events: readonly Event[] } | undefined> {
  if (!isId("msg", id)) return undefined;
  const all = await log.readStream(streamOf("message", id));
  if (all[0]?.metadata.partner !== partner) return undefined;
  const events = asOf === undefined ? all : all.filter((event) => event.position <= asOf);
  const state = foldMessage(events);
  return state && { state, events };
}
