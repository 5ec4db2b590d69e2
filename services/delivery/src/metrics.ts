import type { Environment } from "@heliograph/contracts";
import type { MessageStatus } from "@heliograph/domain";
import { Counter } from "prom-client";

const messages = new Counter({
  name: "heliograph_messages_total",
  help: "Messages that were accepted, and what they came to; one that is delivered was counted as accepted and as sent too",
  labelNames: ["environment", "channel", "status"],
});

/** `accepted` stands for both ways to begin, at once or at a time. */
type Counted = "accepted" | "corrected" | Exclude<MessageStatus, "queued" | "scheduled">;

/** Counts what a projector has committed: a batch that fails comes again, and a rebuild commits nothing here. */
export function countMessages(environment: Environment) {
  // Bound once: labels are looked up for no message.
  const channels = new Map<string, Map<Counted, { inc(by: number): void; added: number }>>();
  return {
    add(channel: string, status: Counted): void {
      let statuses = channels.get(channel);
      if (statuses === undefined) channels.set(channel, (statuses = new Map()));
      let bound = statuses.get(status);
      if (bound === undefined) {
        const counter = messages.labels({ environment, channel, status });
        statuses.set(status, (bound = { inc: (by) => counter.inc(by), added: 0 }));
      }
      bound.added++;
    },
    committed(): void {
      for (const statuses of channels.values())
        for (const bound of statuses.values()) {
          if (bound.added > 0) bound.inc(bound.added);
          bound.added = 0;
        }
    },
  };
}
