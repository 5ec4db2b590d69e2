import { fundsTypes } from "./funds.ts";
import { outcomeTypes } from "./outcomes.ts";
import type { Sending } from "./sending.ts";
import { templateTypes } from "./templates.ts";

const funds: ReadonlySet<string> = new Set(fundsTypes);
const templates: ReadonlySet<string> = new Set(templateTypes);

/** Keeps what `Sending` remembers fresh. Starts at the head: what is older is read from the log when it is first asked for. */
export async function followFeed(
  sending: Sending,
  signal: AbortSignal,
): Promise<{ readonly done: Promise<void> }> {
  const after = await sending.log.head();
  const types = [...fundsTypes, ...templateTypes, ...outcomeTypes];
  const done = (async () => {
    for await (const batch of sending.log.subscribe({ after, types, signal }))
      for (const event of batch.events) {
        if (funds.has(event.type)) sending.funds.seen(event);
        else if (templates.has(event.type)) sending.templates.seen(event);
        else sending.outcomes.seen(event);
      }
  })();
  return { done };
}
