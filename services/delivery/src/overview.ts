import { streamOf } from "@heliograph/contracts";
import { foldMessage, type MessageState, type MessageStatus } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import type { Counted } from "./tables/overview.ts";

/** What became of a message, as far as an overview tells them apart. */
export type Outcome = "delivered" | "under_way" | "lost";
export const lost = ["failed", "bounced", "expired", "rejected"] as const satisfies MessageStatus[];
export const passed = ["sent", "delivered", "read"] as const satisfies MessageStatus[];

/** A canceled message is none of these. */
const outcomeOf: Readonly<Record<MessageStatus, Outcome | undefined>> = {
  scheduled: "under_way",
  queued: "under_way",
  sent: "under_way",
  delivered: "delivered",
  read: "delivered",
  failed: "lost",
  bounced: "lost",
  expired: "lost",
  rejected: "lost",
  canceled: undefined,
};

export type Minute = { readonly minute: number; readonly accepted: number } & Readonly<
  Record<Outcome, number>
>;

/** Each minute of a window in order, those without a message among them. */
export function minutesOf(counts: readonly Counted[], first: number, minutes: number): Minute[] {
  const all = Array.from({ length: minutes }, (_, index) => ({
    minute: first + index,
    accepted: 0,
    delivered: 0,
    under_way: 0,
    lost: 0,
  }));
  for (const { minute, status, messages } of counts) {
    const row = all[minute - first];
    if (row === undefined) continue;
    row.accepted += messages;
    const outcome = outcomeOf[status];
    if (outcome !== undefined) row[outcome] += messages;
  }
  return all;
}

/** Messages read at once, and where the reading ends: what a partner attaches to them may be half a MB each. */
const readAtOnce = 25;
const mostCharacters = 4_000_000;

/** Messages as they are, the newest of the ids given; fewer where they are very large. */
export async function readSample(
  log: EventLog,
  ids: readonly string[],
): Promise<readonly MessageState[]> {
  const states: MessageState[] = [];
  let characters = 0;
  for (let at = 0; at < ids.length && characters < mostCharacters; at += readAtOnce) {
    const names = ids.slice(at, at + readAtOnce).map((id) => streamOf("message", id));
    const streams = await log.readStreams(names);
    for (const name of names) {
      const state = foldMessage(streams.get(name) ?? []);
      if (state === undefined) continue;
      const { text = "", html = "" } = state.request.content;
      characters += text.length + html.length;
      states.push(state);
    }
  }
  return states;
}

/** How often each reason stands for what was lost, the most frequent first. */
export function failuresOf(states: readonly MessageState[]): { code: string; messages: number }[] {
  const counts = new Map<string, number>();
  for (const { error, status } of states) {
    const code = error?.code ?? status;
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return [...counts]
    .map(([code, messages]) => ({ code, messages }))
    .toSorted((one, other) => other.messages - one.messages || (one.code < other.code ? -1 : 1));
}

export type Percentiles = {
  readonly measured: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
};

/** The nearest rank: a value that was measured. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number): number | null =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { measured: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** How long messages took, in milliseconds. The channel's time is the provider's: its clock may be behind ours. */
export const latenciesOf = (states: readonly MessageState[]) => ({
  accepted_to_sent: percentilesOf(
    states.flatMap(({ sentAt, request }) =>
      sentAt === undefined ? [] : [Math.max(0, sentAt - startOf(request))],
    ),
  ),
  sent_to_delivered: percentilesOf(
    states.flatMap(({ sentAt, deliveredAt }) =>
      sentAt === undefined || deliveredAt === undefined
        ? []
        : [Math.max(0, Date.parse(deliveredAt) - sentAt)],
    ),
  ),
});

/** A message that waited for its time counts from then on. */
const startOf = ({ created_at, send_at }: MessageState["request"]): number =>
  Math.max(Date.parse(created_at), send_at === undefined ? 0 : Date.parse(send_at));
