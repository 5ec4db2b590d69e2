import type { EventByType } from "@heliograph/client";
import { UsageError, type Command } from "../command.ts";
import { line } from "../feed.ts";
import { recipes, waitsFor } from "../recipes.ts";

/** Providers of the sandbox answer within seconds, and so does everything behind them. */
const patienceMs = 30_000;

export const trigger: Command = {
  summary: "Makes an event of a type really happen in your sandbox, and prints it.",
  usage: "<event type> [--json]",
  options: {
    list: { about: "the types" },
    json: { about: "the event whole, as JSON" },
  },
  notes: [
    "message.expired and message.rejected set the clock of your sandbox forward.",
    "conversation.assigned needs an agent.",
  ],
  async run(context) {
    const { values, positionals, signal } = context;
    if (values["list"]) return context.print(Object.keys(recipes).join("\n"));
    const [type, ...more] = positionals;
    if (type === undefined || more.length > 0) throw new UsageError("trigger needs one event type");
    const recipe = recipes[type as keyof EventByType];
    const other = waitsFor[type as keyof EventByType];
    if (other) throw new UsageError(`${type} comes by itself only, from ${other}.`);
    if (!recipe)
      throw new UsageError(`${type} is no type; \`heliograph trigger --list\` has them.`);
    if (context.environment() !== "sandbox")
      throw new UsageError("trigger needs a key of the sandbox, ak_test_…");
    const client = context.client();
    const after = await client.events.head({ signal });
    const late = AbortSignal.timeout(patienceMs);
    const until = AbortSignal.any([signal, late]);
    try {
      await recipe(client, until);
      for await (const event of client.events.follow({ after, types: [type], signal: until }))
        return context.print(values["json"] ? JSON.stringify(event) : line(event));
    } catch (error) {
      if (late.aborted) throw new Error(`${type} did not come within ${patienceMs / 1000} s.`);
      throw error;
    }
  },
};
