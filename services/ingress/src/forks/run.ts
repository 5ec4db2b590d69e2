import { machinery } from "@heliograph/api";
import { accountOf, deterministicId, failpoint, PublicError } from "@heliograph/contracts";
import { type EventLog, ofType, ReadTooLarge, type RecordedEvent } from "@heliograph/log";
import { pause, restMs } from "@heliograph/runtime";
import type { Vault } from "@heliograph/vault";
import { verdictOf } from "../broadcasts/verdict.ts";
import type { Item } from "../messages/item.ts";
import type { SendMessage } from "../messages/schema.ts";
import type { Sender } from "../messages/sender.ts";
import type { Sending } from "../messages/sending.ts";
import type { Counts, Fork } from "../tables/forks.ts";
import type { Fakes } from "./fake.ts";
import { pastOf, sealedOf, twinOf } from "./twin.ts";
import { type InboundGatewayOf, sealedOfWritten, writeTwin, writtenTwinOf } from "./written.ts";

/** Messages of all partners in a page; its bytes are bounded by the log. */
const scanLength = 2_000;
/** Twins that are sent together: the streams of their messages are some hundreds of KB, and a crash has so many looked at again. */
const sendLength = 100;
/** A sandbox is no second installation: a window with more ends there, and says so. */
const mostMessages = 100_000;
/** Of all partners: so much is read for one who has few among many. */
const mostScanned = 10_000_000;
/** Others wait meanwhile; who has to wait longer is given back. */
const longestWaitMs = 5_000;

/** Somebody has to do something first: the fork ends with this, and one of the same window goes on. */
export class ForkStopped extends Error {}

export type ForkDeps = {
  /** Of live: it is read and nothing else. */
  readonly live: { readonly log: EventLog; readonly vault: Pick<Vault, "open"> };
  readonly sending: Pick<Sending, "send">;
  readonly sender: Sender;
  readonly fakes: Fakes;
  readonly gatewayOf: InboundGatewayOf;
  readonly pressure?: ((early: boolean) => Promise<void> | undefined) | undefined;
};

/** How a run of one ended: copied whole; cut off at the most that is copied or scanned; to go on later; `stopped` when it is not this run's any more or was aborted. */
export type ForkEnd = "whole" | "cut" | "stopped" | { readonly afterMs: number };

/** Whoever has claimed it. Both show that somebody is there, and say by false that it is to stop. */
export type Claim = {
  /** How far it is. */
  note(reached: bigint, counts: Counts): Promise<boolean>;
  renew(): Promise<boolean>;
};

type Request = RecordedEvent<"MessageRequested">;
type Written = RecordedEvent<"InboundMatched">;
type Twin = { readonly live: string; readonly send: SendMessage };
type Part = {
  readonly requests: readonly Request[];
  /** What people wrote. */
  readonly written: readonly Written[];
  readonly scanned: number;
  readonly upTo: bigint;
};

/** A twin's id follows from its message: what was sent before, by this fork or another of the same sandbox, is the same. */
const keyPartsOf = (message: string): readonly string[] => ["fork", message];

/** Sends in the sandbox what a partner's messages between two positions of live come to, and has written there what people wrote, part by part. Throws `ForkStopped`. */
export async function runFork(
  deps: ForkDeps,
  fork: Fork,
  claim: Claim,
  signal: AbortSignal,
): Promise<ForkEnd> {
  const { account, to } = fork;
  let { reached, scanned, seen, copied } = fork;
  const skipped: Record<string, number> = { ...fork.skipped };
  const skip = (reason: string): void => void (skipped[reason] = (skipped[reason] ?? 0) + 1);
  while (reached < to) {
    await deps.pressure?.(true);
    if (signal.aborted) return "stopped";
    const page = await deps.live.log.readAll({
      after: reached,
      limit: scanLength,
      types: ["MessageRequested", "InboundMatched"],
    });
    const end = page.position === reached || page.position > to ? to : page.position;
    for (const part of partsOf(page.events, account, end)) {
      const began = performance.now();
      const twins: Twin[] = [];
      for (const [index, twin] of (await twinsOf(deps, part.requests)).entries())
        if (typeof twin === "string") skip(twin);
        else twins.push({ live: part.requests[index]!.data.message_id, send: twin });
      const refused = await sendAll(deps, fork.space, twins, claim, signal);
      if (refused === "stopped" || "afterMs" in refused) return refused;
      for (const reason of refused) skip(reason);
      const without = await writeAll(deps, fork.space, part.written);
      for (const reason of without) skip(reason);
      await failpoint("forks.sent");
      reached = part.upTo;
      scanned += part.scanned;
      seen += part.requests.length + part.written.length;
      copied += twins.length - refused.length + part.written.length - without.length;
      if (!(await claim.note(reached, { scanned, seen, copied, skipped }))) return "stopped";
      if (reached >= to) return "whole";
      if (seen >= mostMessages || scanned >= mostScanned) return "cut";
      await pause(restMs(performance.now() - began), signal);
    }
  }
  return "whole";
}

/** A page by what is sent together; the last part reaches to its end. */
function partsOf(
  events: readonly (Request | Written)[],
  account: string,
  end: bigint,
): readonly Part[] {
  const within = events.filter(({ position }) => position <= end);
  const parts: Part[] = [];
  let own: (Request | Written)[] = [];
  let first = 0;
  const part = (scanned: number, upTo: bigint): Part => ({
    requests: own.filter(ofType("MessageRequested")),
    written: own.filter(ofType("InboundMatched")),
    scanned,
    upTo,
  });
  for (const [index, event] of within.entries()) {
    if (accountOf(event.metadata.partner ?? "") === account) own.push(event);
    if (own.length < sendLength) continue;
    parts.push(part(index + 1 - first, event.position));
    own = [];
    first = index + 1;
  }
  return [...parts, part(within.length - first, end)];
}

/** Gives why some have no twin. */
async function writeAll(
  { live: { vault }, sender, fakes, gatewayOf }: ForkDeps,
  space: string,
  written: readonly Written[],
): Promise<readonly string[]> {
  if (written.length === 0) return [];
  const open = await vault.open(written[0]!.metadata.partner, written.map(sealedOfWritten));
  const without: string[] = [];
  for (const event of written) {
    const twin = writtenTwinOf(event, open, fakes, gatewayOf);
    if (typeof twin === "string") without.push(twin);
    else await writeTwin(sender, space, twin);
  }
  return without;
}

async function twinsOf(
  { live: { log, vault }, fakes }: ForkDeps,
  requests: readonly RecordedEvent<"MessageRequested">[],
): Promise<readonly ReturnType<typeof twinOf>[]> {
  if (requests.length === 0) return [];
  const found = await log
    .readStreams(requests.map(({ stream }) => stream))
    .catch((error: unknown) => oneByOne(log, requests, error));
  const pasts = requests.map(({ stream }) => pastOf(found.get(stream) ?? []));
  const open = await vault.open(
    requests[0]!.metadata.partner,
    pasts.map((past) => past && sealedOf(past)),
  );
  return pasts.map((past) => twinOf(past, open, fakes));
}

/** Together they were more than one process may hold; one that is so by itself is left out. */
async function oneByOne(
  log: EventLog,
  requests: readonly RecordedEvent[],
  error: unknown,
): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
  if (!(error instanceof ReadTooLarge)) throw error;
  const found = new Map<string, readonly RecordedEvent[]>();
  for (const { stream } of requests)
    try {
      for (const [name, events] of await log.readStreams([stream])) found.set(name, events);
    } catch (own) {
      if (!(own instanceof ReadTooLarge)) throw own;
    }
  return found;
}

/** Gives why some were refused, or how the run ends before all were sent. Throws `ForkStopped`. */
async function sendAll(
  deps: ForkDeps,
  space: string,
  twins: readonly Twin[],
  claim: Claim,
  signal: AbortSignal,
): Promise<readonly string[] | Exclude<ForkEnd, "whole" | "cut">> {
  let waiting = twins;
  let waitedMs = 0;
  const refused: string[] = [];
  while (waiting.length > 0) {
    if (signal.aborted || !(await claim.renew())) return "stopped";
    let afterMs = 0;
    const again: Twin[] = [];
    for (const [index, error] of (await send(deps, space, waiting)).entries()) {
      if (error === undefined) continue;
      const verdict = verdictOf(error);
      if (verdict.kind === "skip") refused.push(verdict.reason);
      else if (verdict.kind === "later") {
        again.push(waiting[index]!);
        afterMs = Math.max(afterMs, verdict.afterMs);
      } else throw new ForkStopped(`${verdict.code}: ${verdict.reason}`);
    }
    waiting = again;
    if (again.length === 0) break;
    waitedMs += afterMs;
    if (waitedMs > longestWaitMs) return { afterMs };
    await pause(afterMs, signal);
  }
  return refused;
}

/** What each was refused with. */
async function send(
  { sending, sender }: ForkDeps,
  space: string,
  twins: readonly Twin[],
): Promise<readonly (PublicError | undefined)[]> {
  const items = twins.map((twin): Item => ({
    body: twin.send,
    keyParts: keyPartsOf(twin.live),
    // Whatever has become of it since: it is the same message.
    asked: { fork: twin.live },
  }));
  const ids = twins.map(({ live }) =>
    deterministicId("msg", "sandbox", space, ...keyPartsOf(live)),
  );
  try {
    const settled = await sending.send(sender, items, ids);
    return settled.map((each) => (each.kind === "sent" ? undefined : each.error));
  } catch (error) {
    const thrown = machinery(error) ?? error;
    if (!(thrown instanceof PublicError)) throw error;
    return twins.map(() => thrown);
  }
}
