// What the README shows, compiled.
import type { EventData } from "@heliograph/contracts";
import type { ThreadState } from "@heliograph/domain";
import { decideInbound } from "../src/decide.ts";

export function example(
  thread: ThreadState | undefined,
  inbound: EventData<"InboundMatched">,
  name: string,
): readonly string[] {
  const events = decideInbound(thread, inbound, { name, samePerson: true });
  return events.map(({ type }) => type); // ["ConversationOpened", "InboundContactMatched", "MessageReceived"]
}
