import { setTimeout as pause } from "node:timers/promises";
import {
  ConnectionError,
  ServerError,
  type FollowOptions,
  type FollowState,
  type Heliograph,
  type LifecycleEvent,
} from "@heliograph/client";
import { number, text, UsageError, type Context } from "./command.ts";

const retryMs = 2_000;

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

/** Where this run begins: behind `--after`, else now; at the place of `--consumer`, when that is not new. Throws UsageError. */
function startOf(context: Context): number | Promise<number> {
  const after = number(context.values, "after", Number.MAX_SAFE_INTEGER);
  if (after !== undefined && text(context.values, "consumer") !== undefined)
    throw new UsageError("--consumer goes on where it was: leave out --after");
  return after ?? headOf(context);
}

/** Throws UsageError. The platform says what else is wrong with them. */
function filtersOf(given: string): NonNullable<FollowOptions["filters"]> {
  try {
    return JSON.parse(given) as NonNullable<FollowOptions["filters"]>;
  } catch {
    throw new UsageError(`--filters must be JSON, such as '{"channels":["sms"]}'`);
  }
}

function told(state: FollowState): string {
  switch (state.type) {
    case "connected":
      return `Ready: connected${state.by === "polling" ? ", by polling" : ""}.`;
    case "waiting":
      return `Disconnected (${state.error.message}); again in ${Math.ceil(state.forMs / 1000)} s.`;
    case "not_kept":
      return `Where it is could not be kept (${state.error.message}); trying again.`;
  }
}

/** The events that the options of a command ask for, from now on unless they say otherwise. Says when it is connected, and when it is not. */
export async function* followed(context: Context): AsyncGenerator<LifecycleEvent, void, undefined> {
  const { values, signal, say } = context;
  const types = text(values, "types")?.split(",");
  const consumer = text(values, "consumer");
  const filters = text(values, "filters");
  yield* context.client().events.follow({
    ...(filters !== undefined && { filters: filtersOf(filters) }),
    after: await startOf(context),
    signal,
    ...(types && { types }),
    ...(consumer !== undefined && { consumer }),
    onState: (state) => say(told(state)),
  });
}

/** An event on one line for people. */
export function line({ timestamp, type, sequence, data }: LifecycleEvent): string {
  const names = ["message_id", "conversation_id", "contact_id", "endpoint_id", "key_id", "to"];
  const told = names.flatMap((name) => (typeof data[name] === "string" ? [data[name]] : []));
  return [timestamp, String(sequence).padStart(6), type.padEnd(22), ...told].join("  ");
}
