import { setTimeout as pause } from "node:timers/promises";
import {
  ConnectionError,
  NotFoundError,
  ServerError,
  type Heliograph,
  type LifecycleEvent,
} from "@heliograph/client";
import { number, text, UsageError, type Context } from "./command.ts";

const retryMs = 2_000;
/** How often a position is kept while events come. */
const keepEveryMs = 1_000;

/** Asks for something, and waits for the platform where it is away, and says so. */
async function asked<Answer>(
  { client, signal, say }: Context,
  ask: (api: Heliograph, options: { signal: AbortSignal; maxAttempts: number }) => Promise<Answer>,
): Promise<Answer> {
  const api = client();
  for (;;) {
    try {
      return await ask(api, { signal, maxAttempts: 1 });
    } catch (error) {
      if (!(error instanceof ConnectionError || error instanceof ServerError)) throw error;
      say(`The platform does not answer (${error.message}); trying again.`);
      await pause(retryMs, undefined, { signal });
    }
  }
}

/** Where the feed ends now. */
const headOf = (context: Context): Promise<number> =>
  asked(context, (api, options) => api.events.head(options));

/** Where a named reader goes on; one that is new is kept at once where the feed ends now, so that nothing is missed from here on. */
async function placeOf(context: Context, name: string): Promise<number> {
  const known = await asked(context, (api, options) =>
    api.eventConsumers.get(name, options).catch((error: unknown) => {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }),
  );
  if (known !== undefined) return known.sequence;
  const sequence = await headOf(context);
  await asked(context, (api, options) => api.eventConsumers.commit(name, { sequence }, options));
  return sequence;
}

/** Where this run begins: at the place of `--consumer`, behind `--after`, else now. Throws UsageError. */
function startOf(context: Context): number | Promise<number> {
  const consumer = text(context.values, "consumer");
  const after = number(context.values, "after", Number.MAX_SAFE_INTEGER);
  if (consumer === undefined) return after ?? headOf(context);
  if (after !== undefined)
    throw new UsageError("--consumer goes on where it was: leave out --after");
  return placeOf(context, consumer);
}

/**
 * Keeps, at the platform, where the reader of `--consumer` is: what was handled, once a second at most and at the end. After a kill the last second's events come again.
 */
async function* kept(
  context: Context,
  name: string,
  events: AsyncIterable<LifecycleEvent>,
): AsyncGenerator<LifecycleEvent, void, undefined> {
  const { say, client } = context;
  let handled: number | undefined;
  let keptAt = performance.now();
  const keep = async (): Promise<void> => {
    if (handled === undefined) return;
    const sequence = handled;
    handled = undefined;
    keptAt = performance.now();
    await client()
      .eventConsumers.commit(name, { sequence }, { maxAttempts: 1 })
      .catch((error: Error) => {
        handled ??= sequence;
        say(`Where ${name} is could not be kept (${error.message}); trying again.`);
      });
  };
  const timer = setInterval(() => {
    if (performance.now() - keptAt >= keepEveryMs) void keep();
  }, keepEveryMs);
  try {
    for await (const event of events) {
      yield event;
      // Asked for the next one: this one is done.
      handled = event.sequence;
    }
  } finally {
    clearInterval(timer);
    await keep();
  }
}

/** The events that the options of a command ask for, from now on unless they say otherwise. Says when it is connected, and when it is not. */
export async function* followed(context: Context): AsyncGenerator<LifecycleEvent, void, undefined> {
  const { values, signal, say } = context;
  const types = text(values, "types")?.split(",");
  const consumer = text(values, "consumer");
  const after = await startOf(context);
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
  yield* consumer === undefined ? events : kept(context, consumer, events);
}

/** An event on one line for people. */
export function line({ timestamp, type, sequence, data }: LifecycleEvent): string {
  const names = ["message_id", "conversation_id", "contact_id", "endpoint_id", "key_id", "to"];
  const told = names.flatMap((name) => (typeof data[name] === "string" ? [data[name]] : []));
  return [timestamp, String(sequence).padStart(6), type.padEnd(22), ...told].join("  ");
}
