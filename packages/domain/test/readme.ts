// What the README shows, compiled.
import { type MessageId, streamOf } from "@heliograph/contracts";
import { type FoldableEvent, foldMessage, messageView } from "@heliograph/domain";

declare const log: { readStream(stream: string): Promise<readonly FoldableEvent[]> };
declare const id: MessageId;

export async function example(): Promise<object | undefined> {
  const state = foldMessage(await log.readStream(streamOf("message", id)));
  const body = state && messageView(state, "live");
  return body;
}
