import type { Call } from "@heliograph/api";
import { pause, restMs } from "@heliograph/runtime";

/** Until when the readers of each partner rest. */
const resting = new Map<string, number>();

/**
 * What a filter keeps back slows no reader down, and costs the database and this process its reading. The rests of one partner's readers come one after the other, so that all of them together
 * take no more than one may.
 */
export async function rest(
  { env, partner }: Pick<Call, "env" | "partner">,
  workedMs: number,
  signal: AbortSignal,
): Promise<void> {
  const name = `${env} ${partner.partner_id}`;
  const now = performance.now();
  const until = Math.max(now, resting.get(name) ?? 0) + restMs(workedMs);
  resting.set(name, until);
  await pause(until - now, signal);
  if (resting.get(name) === until) resting.delete(name);
}
