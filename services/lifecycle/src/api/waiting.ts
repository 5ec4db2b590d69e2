import { PublicError } from "@heliograph/contracts";
import { type LifecycleWaiter, openLifecycleWaiter, readLifecycle } from "../tables/lifecycle.ts";
import type pg from "pg";
import { stillAllowed, whileAllowed, type Call } from "@heliograph/api";

const waiters = new WeakMap<pg.Pool, LifecycleWaiter>();

/** The one waiter of an environment: however many readers wait, they share one small query. It does nothing while nobody waits. */
export function waiterOf(pool: pg.Pool): LifecycleWaiter {
  let waiter = waiters.get(pool);
  if (waiter === undefined) waiters.set(pool, (waiter = openLifecycleWaiter(pool)));
  return waiter;
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
  await stillAllowed(call);
  if (!found && !call.signal.aborted)
    throw new PublicError(
      "sequence_ahead",
      `The feed ends at ${last}: there is no event ${sequence} to read on from.`,
    );
}
