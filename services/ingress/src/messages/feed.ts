import type { EventData } from "@heliograph/contracts";
import { templateTypes } from "@heliograph/domain";
import { ofType, type EventLog, type RecordedEvent } from "@heliograph/log";
import { pause } from "@heliograph/runtime";
import { fundsTypes, type Funds } from "./funds.ts";
import { messageTypes, type Outcomes } from "./outcomes.ts";
import type { TemplateCache } from "./templates.ts";

const isFunds = ofType(...fundsTypes);
const isTemplate = ofType(...templateTypes);
const retryAfterMs = 500;

/**
 * Keeps what `Sending` remembers fresh until the signal ends. Starts at the head: what is older is read from the log when it is first
 * asked for. `onError` hears of a subscription that broke; it is taken up again where it was.
 */
export async function followFeed(
  sending: {
    readonly log: EventLog;
    readonly funds: Funds;
    readonly templates: TemplateCache;
    readonly outcomes: Outcomes;
    readonly requested?: ((message: EventData<"MessageRequested">) => void) | undefined;
  },
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<{ readonly done: Promise<void> }> {
  let after = await sending.log.head();
  const types = [...fundsTypes, ...templateTypes, ...messageTypes];
  const note = (event: RecordedEvent<(typeof types)[number]>): void => {
    if (isFunds(event)) sending.funds.seen(event);
    else if (isTemplate(event)) sending.templates.seen(event);
    else {
      if (event.type === "MessageRequested") sending.requested?.(event.data);
      sending.outcomes.seen(event);
    }
  };
  const follow = async (): Promise<void> => {
    for await (const batch of sending.log.subscribe({ after, types, signal })) {
      for (const event of batch.events) note(event);
      after = batch.position;
    }
  };
  const done = (async () => {
    while (!signal.aborted) {
      await follow().catch(onError);
      await pause(retryAfterMs, signal);
    }
  })();
  return { done };
}
