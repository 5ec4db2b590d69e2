import { type Failure, parseMoney, streamOf } from "@heliograph/contracts";
import {
  foldMessage,
  type Hold,
  type MessageState,
  noteHolds,
  overAt,
  startProof,
  statusRank,
  toLifecycle,
} from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { loosely } from "@heliograph/testkit";
import { partner, type Platform } from "./platform.ts";
import { faultsOfWebhooks } from "./told.ts";
import { faultsOfUsage } from "./usage-faults.ts";

/** A hold is kept for so long after the message is over for certain. */
const GRACE_MS = 24 * 3_600_000;

/** Of these a message has one at most. */
const once = [
  "MessageRequested",
  "MessageDelivered",
  "MessageRead",
  "MessageBounced",
  "MessageComplained",
  "MessageFailed",
  "MessageExpired",
  "MessageRejected",
  "MessageCanceled",
] as const;

/** What does not hold, of a platform at rest. */
export async function faultsOf(platform: Platform): Promise<readonly string[]> {
  const { sim } = platform;
  const ids = await idsOf(platform);
  const faults = [...sim.faults];
  const wallet = await foldWallet(platform);
  faults.push(...wallet.faults);
  const streams = await sim.log.readStreams(ids.map((id) => streamOf("message", id)));
  const lapses = await sim.log.readStreams(ids.map((id) => streamOf("hold", id)));
  for (const id of ids) {
    const events = streams.get(streamOf("message", id)) ?? [];
    const about = (what: string): void =>
      void faults.push(`${id} ${what}: ${events.map(({ type }) => type).join(" ")}`);
    const state = foldMessage(events);
    if (state === undefined) about("is lost");
    else faultsOfMessage(platform, state, events, wallet.holds.get(id), about);
    const [requested] = events as readonly RecordedEvent<"MessageRequested">[];
    for (const { recordedAt } of lapses.get(streamOf("hold", id)) ?? [])
      if (recordedAt < overAt(requested!.data) + GRACE_MS) about("loses its hold early");
  }
  faults.push(...(await faultsOfLifecycle(platform)));
  faults.push(...(await faultsOfUsage(platform, wallet.holds)));
  if (platform.receivers.endpoints.size > 0) faults.push(...(await faultsOfWebhooks(platform)));
  return faults;
}

/** Messages that were sent by themselves, and those of broadcasts. */
async function idsOf({ ids, sim, broadcasts }: Platform): Promise<readonly string[]> {
  if (broadcasts === undefined) return ids;
  const types = ["MessageRequested"] as const;
  const { events } = await sim.log.readAll({ after: 0n, limit: 1_000_000, types });
  return [...new Set([...ids, ...events.map(({ data }) => data.message_id)])];
}

/** The ledger: every sum, every order of entries, nothing held any more, and what was paid in is there or was charged. */
async function foldWallet({ sim, topUps, ledger }: Platform) {
  const proof = startProof();
  const holds = new Map<string, Hold>();
  const faults: string[] = [];
  const billed = new Set<string>();
  const events = await sim.log.readStream(streamOf("wallet", partner));
  for (const event of events) {
    proof.add(loosely(event));
    noteHolds(holds, event);
    if (!charging.has(event.type)) continue;
    for (const { message_id } of (event as RecordedEvent<"FundsCaptured">).data.entries) {
      if (billed.has(message_id)) faults.push(`${message_id} is charged twice`);
      billed.add(message_id);
    }
  }
  const { balance, held, holds_open: open, matches, mismatch } = proof.result();
  for (const id of ledger.open.keys()) if (!holds.has(id)) faults.push(`${id} never had a hold`);
  if (!matches) faults.push(`the ledger does not agree: ${mismatch}`);
  if (held !== "0" || open !== 0) faults.push(`${held} is held of ${open} at rest`);
  const paid = topUps.reduce((sum, amount) => sum + moneyOf(amount), 0n);
  let charged = 0n;
  for (const { status, amount } of holds.values())
    if (status === "captured" || status === "kept") charged += moneyOf(amount);
  if (moneyOf(balance) + charged !== paid)
    faults.push(`${paid} was paid in, ${charged} charged, and ${balance} is left`);
  return { holds, faults };
}
const charging: ReadonlySet<string> = new Set(["FundsCaptured", "FundsChargedLate"]);
const moneyOf = (text: string): bigint => parseMoney(text)!;

/** After one of these the funds go back, whatever else becomes of the message. */
const givenUp: ReadonlySet<string> = new Set(["DispatchExhausted", "DeliveryFailed"]);
const charges: Readonly<Record<MessageState["status"], readonly Hold["status"][]>> = {
  scheduled: [],
  queued: [],
  sent: ["captured", "written_off"],
  delivered: ["captured", "written_off"],
  read: ["captured", "written_off"],
  bounced: ["captured", "written_off"],
  failed: ["released", "refunded", "expired", "returned"],
  expired: ["released", "declined", "expired", "returned"],
  canceled: ["released", "declined", "expired", "returned"],
  rejected: ["declined", "released", "expired", "returned"],
};

function faultsOfMessage(
  { sim }: Platform,
  state: MessageState,
  events: readonly RecordedEvent[],
  hold: Hold | undefined,
  about: (what: string) => void,
): void {
  const { status } = state;
  for (const type of once)
    if (events.filter((event) => event.type === type).length > 1) about(`has ${type} twice`);
  // What arrived after all is not charged again.
  const hasFailed = events.some(({ type }) => givenUp.has(type));
  const owes = hasFailed ? "failed" : status;
  // What a provider charges for, and nothing else, costs something although it came to nothing.
  const isBilled = events.some(
    ({ data }) => (data as { readonly error?: Partial<Failure> }).error?.billable === true,
  );
  if (state.charge !== undefined && !isBilled) about("is charged, and no provider charges for it");
  const due = state.charge === undefined ? charges[owes] : ["kept"];
  if (!due.includes(hold?.status ?? "held"))
    about(`is ${status} and its funds are ${hold?.status}`);
  if (hold?.status === "kept" && hold.amount !== state.charge)
    about(`costs ${state.charge} and ${hold.amount} is charged`);
  if (hold?.status === "captured" && hold.amount !== state.request.cost)
    about(`costs ${state.request.cost} and ${hold.amount} is charged`);
  const isTaken = [...sim.taken.values()].some(({ messageId }) => messageId === state.id);
  if (statusRank(status) >= statusRank("sent") && status !== "failed" && !isTaken)
    about(`is ${status} and no provider has it`);
}

/** What partners are told of a message: each thing once, and that it arrived only after that it was sent, unless it had been given up. */
async function faultsOfLifecycle({ sim }: Platform): Promise<readonly string[]> {
  const { events } = await sim.log.readAll({ after: 0n, limit: 1_000_000 });
  const told = new Map<string, Set<string>>();
  const ids = new Set<string>();
  const faults: string[] = [];
  for (const event of events) {
    const { stream, id } = event;
    const lifecycle = toLifecycle(event, "live");
    if (lifecycle !== undefined && ids.has(id))
      faults.push(`${stream} tells ${lifecycle.type} by the id of another event`);
    ids.add(id);
    if (!stream.startsWith("message-")) continue;
    const types = told.get(stream) ?? new Set();
    told.set(stream, types);
    if (givenUp.has(event.type)) types.add(event.type);
    if (lifecycle === undefined) continue;
    const { type } = lifecycle;
    if (types.has(type) && type !== "message.sent") faults.push(`${stream} tells ${type} twice`);
    const first = !types.has("message.sent") && !types.has("DispatchExhausted");
    if (type === "message.delivered" && first) faults.push(`${stream} tells ${type} first`);
    types.add(type);
  }
  return faults;
}
