import { setTimeout as pause } from "node:timers/promises";
import { ConnectionError, ServerError, type LifecycleEvent } from "@heliograph/client";
import { number, text, type Context } from "./command.ts";

const retryMs = 2_000;

/** Where the feed ends now. Waits for the platform where it is away, and says so. */
async function headOf({ client, signal, say }: Context): Promise<number> {
  const api = client();
  for (;;) {
    try {
      return await api.events.head({ signal, maxAttempts: 1 });
    } catch (error) {
      if (!(error instanceof ConnectionError || error instanceof ServerError)) throw error;
      say(`The platform does not answer (${error.message}); trying again.`);
      await pause(retryMs, undefined, { signal });
    }
  }
}

/** The events that the options of a command ask for, from now on unless they say otherwise. Says when it is connected, and when it is not. */
export async function* followed(context: Context): AsyncGenerator<LifecycleEvent, void, undefined> {
  const { values, signal, say } = context;
  const types = text(values, "types")?.split(",");
  const after = number(values, "after", Number.MAX_SAFE_INTEGER) ?? (await headOf(context));
  const events = context.client().events.follow({
    after,
    signal,
    ...(types && { types }),
    onState: (state) =>
      say(
        state.type === "connected"
          ? `Ready: connected${state.by === "polling" ? ", by polling" : ""}.`
          : `Disconnected (${state.error.message}); again in ${Math.ceil(state.forMs / 1000)} s.`,
      ),
  });
  yield* events;
}

/** An event on one line for people. */
export function line({ timestamp, type, sequence, data }: LifecycleEvent): string {
  const names = ["message_id", "conversation_id", "contact_id", "endpoint_id", "key_id", "to"];
  const told = names.flatMap((name) => (typeof data[name] === "string" ? [data[name]] : []));
  return [timestamp, String(sequence).padStart(6), type.padEnd(22), ...told].join("  ");
}
