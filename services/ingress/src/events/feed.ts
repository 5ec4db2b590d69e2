import { PublicError } from "@heliograph/contracts";
import { type LifecycleWaiter, openLifecycleWaiter } from "@heliograph/read-models";
import type pg from "pg";
import type { Call } from "../call.ts";

const waiters = new WeakMap<pg.Pool, LifecycleWaiter>();

/** The one waiter of an environment: however many readers wait, they share one small query. It does nothing while nobody waits. */
export function waiterOf(pool: pg.Pool): LifecycleWaiter {
  let waiter = waiters.get(pool);
  if (waiter === undefined) waiters.set(pool, (waiter = openLifecycleWaiter(pool)));
  return waiter;
}

const isRevoked = (call: Call): boolean =>
  call.context.directory.keyById(call.key.key_id)?.revoked !== false;

/** A reader that waited may have lost its key meanwhile. Throws `key_revoked`. */
export function stillAllowed(call: Call): void {
  if (isRevoked(call)) throw new PublicError("key_revoked", "The API key was revoked.");
}

/** Runs the work of a reader that waits; its signal ends with the call, and as soon as the key is revoked. */
export async function whileAllowed<Result>(
  call: Call,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const revoked = new AbortController();
  const check = (): void => {
    if (isRevoked(call)) revoked.abort();
  };
  const forget = call.context.directory.onChange(check);
  // It may have happened since the call was authenticated.
  check();
  try {
    return await work(AbortSignal.any([call.signal, revoked.signal]));
  } finally {
    forget();
  }
}
