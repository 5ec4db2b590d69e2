import type { Job } from "./job.ts";
import type { Lane } from "./lane.ts";

/**
 * `ordering: per_subject`: the next delivery of a subject is held until the one before is delivered, failed or discarded.
 *
 * As long as the table has nothing that waits for the endpoint, what is held waits in memory, in a chain behind the delivery that is under way. Once anything of the endpoint stands in the table as
 * pending, the endpoint is behind: what comes goes there too, as held, which is pending without a time. After each commit the window gives the first of a subject its time (`releaseNext`), so the table
 * alone knows what is held and a million subjects take no memory. A look that finds nothing pending ends that.
 */
export const isOrdered = (lane: Lane): boolean => lane.endpoint.ordering === "per_subject";

/** Of one subject, in memory; more go to the table. */
const maxChain = 100;

/** Whether a delivery keeps to the order: what was asked for by hand or by a replay is sent when it is its turn. */
const keepsOrder = (lane: Lane, job: Job): job is Job & { readonly subject: string } =>
  isOrdered(lane) && job.subject !== undefined && !job.urgent && job.replay === undefined;

/** What is to become of a new delivery: it may be sent, waits in memory, or is held in the table. */
export function placeOf(lane: Lane, job: Job): "send" | "memory" | "table" {
  if (!keepsOrder(lane, job)) return "send";
  if (lane.behind) return "table";
  const chain = lane.chains.get(job.subject);
  if (chain === undefined) return "send";
  return chain.length < maxChain ? "memory" : "table";
}

/** It is sent from memory: what comes of its subject waits. */
export function begin(lane: Lane, job: Job): void {
  if (keepsOrder(lane, job)) lane.chains.set(job.subject, [job]);
}

/** The chain that a delivery stands at the head of. */
function chainOf(lane: Lane, job: Job): Job[] | undefined {
  const chain = job.subject === undefined ? undefined : lane.chains.get(job.subject);
  return chain?.[0] === job ? chain : undefined;
}

/** It is over: gives the one behind it, which may be sent now. */
export function advance(lane: Lane, job: Job): Job | undefined {
  const chain = chainOf(lane, job);
  if (chain === undefined) return undefined;
  chain.shift();
  const [next] = chain;
  if (next === undefined) lane.chains.delete(job.subject!);
  else next.held = false;
  return next;
}

/** It leaves memory before it is over: gives those that waited behind it, which leave too. */
export function dissolve(lane: Lane, job: Job): readonly Job[] {
  const chain = chainOf(lane, job);
  if (chain === undefined) return [];
  lane.chains.delete(job.subject!);
  return chain.slice(1);
}

/** The endpoint is closed, or keeps no order any more: gives all that were held in memory, in their order. */
export function dissolveAll(lane: Lane): readonly Job[] {
  const held = [...lane.chains.values()].flatMap((chain) => chain.slice(1));
  lane.chains.clear();
  return held.toSorted((left, right) => Number(left.position - right.position));
}
