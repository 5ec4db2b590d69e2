import { PublicError } from "@heliograph/contracts";
import { type LifecycleWaiter, openLifecycleWaiter, readLifecycle } from "../tables/lifecycle.ts";
import type pg from "pg";
import { endOf, keyEnded, type Call } from "@heliograph/api";

const waiters = new WeakMap<pg.Pool, LifecycleWaiter>();

/** The one waiter of an environment: however many readers wait, they share one small query. It does nothing while nobody waits. */
export function waiterOf(pool: pg.Pool): LifecycleWaiter {
  let waiter = waiters.get(pool);
  if (waiter === undefined) waiters.set(pool, (waiter = openLifecycleWaiter(pool)));
  return waiter;
}

/** The longest that a timer of Node's takes: 24.8 days. */
const maxTimerMs = 2 ** 31 - 1;

/** How the key of a call has ended meanwhile; one that the directory no longer knows counts as revoked. */
function endOfKey(call: Call): "revoked" | "expired" | undefined {
  const key = call.context.directory.keyById(call.key.key_id);
  return key === undefined ? "revoked" : endOf(key, Date.now());
}

/** A reader that waited may have lost its key meanwhile. Throws `key_revoked`. */
export function stillAllowed(call: Call): void {
  const end = endOfKey(call);
  if (end !== undefined) throw keyEnded(end);
}

/** Runs the work of a reader that waits; its signal ends with the call, and as soon as the key is revoked or expires. */
export async function whileAllowed<Result>(
  call: Call,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const ended = new AbortController();
  const { expires_at } = call.key;
  let timer: NodeJS.Timeout | undefined;
  const check = (): void => {
    if (endOfKey(call) !== undefined) return ended.abort();
    if (expires_at === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(check, Math.min(maxTimerMs, Date.parse(expires_at) - Date.now()));
  };
  const forget = call.context.directory.onChange(check);
  // It may have happened since the call was authenticated.
  check();
  try {
    return await work(AbortSignal.any([call.signal, ended.signal]));
  } finally {
    forget();
    clearTimeout(timer);
  }
}

/** Webhooks and topics number the same events each for themselves, and whoever has one from there may be ahead of the feed by this much. */
const lagMs = 2_000;

/** Waits a moment for the feed to have an event of this sequence. Throws `sequence_ahead` when it has none then. */
export async function untilReached(call: Call, sequence: number): Promise<void> {
  const pool = call.deps.projectionPool;
  const partner = call.partner.partner_id;
  const { last } = await readLifecycle(pool, { partner, after: sequence, limit: 1 });
  if (sequence <= last) return;
  const found = await whileAllowed(call, (signal) =>
    waiterOf(pool).wait(partner, sequence - 1, lagMs, signal),
  );
  stillAllowed(call);
  if (!found && !call.signal.aborted)
    throw new PublicError(
      "sequence_ahead",
      `The feed ends at ${last}: there is no event ${sequence} to read on from.`,
    );
}
