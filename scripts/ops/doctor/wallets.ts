import { environments, formatMoney, parseMoney, type Environment } from "@heliograph/contracts";
import { lastMovedWallets, proofState, proveShown } from "../../../services/wallet/src/index.ts";
import { count, duration, together, unlessMissing } from "./check.ts";
import type { Finding, OpenPlace, Status } from "./check.ts";

/** Each is computed from its first event on, so a sample; the nightly proof takes all. */
const sampled = 20;
/** The nightly proof runs when it is due, or when its process starts; behind it is where none runs. */
const overdueMs = 24 * 3_600_000;

type Part = { readonly status: Status; readonly text: string };

/** The wallets that moved last, computed from the log, with the sums of each currency; and what the nightly proof of all of them came to. */
export async function lookAtWallets(place: OpenPlace, signal: AbortSignal): Promise<Finding> {
  const parts: Part[] = [];
  let proven = 0;
  for (const environment of environments) {
    const state = await unlessMissing(proofState(place.pool(environment)));
    if (state === undefined || state.wallets === 0) continue;
    if (state.mismatches > 0)
      parts.push({
        status: "failed",
        text: `${environment}: the nightly proof found ${count(state.mismatches)} of ${count(state.wallets)} wallets that are not what their log says`,
      });
    const lateMs = state.dueAt === null ? 0 : place.now - state.dueAt.getTime();
    if (lateMs > overdueMs)
      parts.push({
        status: "warning",
        text: `${environment}: the nightly proof is overdue by ${duration(lateMs)}`,
      });
    const sample = await sampleOf(place, environment, signal);
    proven += sample.proven;
    parts.push(...sample.parts);
  }
  if (parts.length === 0) return { status: "ok", summary: "no wallet has moved yet" };
  return together(`${count(proven)} wallets computed from the log`, parts);
}

async function sampleOf({ pool, log }: OpenPlace, environment: Environment, signal: AbortSignal) {
  const events = await log(environment);
  const parts: Part[] = [];
  const sums = new Map<string, { debits: bigint; credits: bigint }>();
  const shown = await lastMovedWallets(pool(environment), sampled);
  let proven = 0;
  for (const wallet of shown) {
    const result = await proveShown(events, wallet, signal);
    if (result === undefined) break;
    proven += 1;
    const { proof, mismatch } = result;
    if (mismatch !== undefined)
      parts.push({ status: "failed", text: `${environment} ${wallet.wallet}: ${mismatch}` });
    const sum = sums.get(wallet.currency) ?? { debits: 0n, credits: 0n };
    sum.debits += parseMoney(proof.debits)!;
    sum.credits += parseMoney(proof.credits)!;
    sums.set(wallet.currency, sum);
  }
  if (proven < shown.length)
    parts.push({
      status: "warning",
      text: `${environment}: ${proven} of ${shown.length} wallets could be computed in the time there is`,
    });
  for (const [currency, { debits, credits }] of sums)
    parts.push({
      status: debits === credits ? "ok" : "failed",
      text: `${environment} ${currency}: debits ${formatMoney(debits)}, credits ${formatMoney(credits)}, together ${formatMoney(credits - debits)}`,
    });
  return { proven, parts };
}
