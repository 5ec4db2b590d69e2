import { machinery } from "@heliograph/api";
import { accountOf, deterministicId, failpoint, PublicError } from "@heliograph/contracts";
import { type EventLog, ReadTooLarge, type RecordedEvent } from "@heliograph/log";
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

/** Messages of a page: their streams are some hundreds of KB, and a crash has so many looked at again. */
const pageMessages = 100;
/** A sandbox is no second installation: a window with more ends there, and says so. */
const mostMessages = 100_000;

/** Somebody has to do something first: the fork ends with this, and one of the same window goes on. */
export class ForkStopped extends Error {}

export type ForkDeps = {
  /** Of live: it is read and nothing else. */
  readonly live: { readonly log: EventLog; readonly vault: Pick<Vault, "open"> };
  readonly sending: Pick<Sending, "send">;
  readonly sender: Sender;
  readonly fakes: Fakes;
  readonly pressure?: ((early: boolean) => Promise<void> | undefined) | undefined;
};

type Twin = { readonly live: string; readonly send: SendMessage };

/** A twin's id follows from its message: what was sent before, by this fork or another of the same sandbox, is the same. */
const keyPartsOf = (message: string): readonly string[] => ["fork", message];

/**
 * Sends in the sandbox what a partner's messages between two positions of live come to, page by page. `paged` is told after each page how far it is, and ends it by false. Gives whether the
 * window was copied whole; undefined when it was ended before.
 */
export async function runFork(
  deps: ForkDeps,
  { account, space, reached: from, to, ...counted }: Fork,
  paged: (reached: bigint, counts: Counts) => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  let reached = from;
  let { seen, copied } = counted;
  const skipped: Record<string, number> = { ...counted.skipped };
  const skip = (reason: string): void => void (skipped[reason] = (skipped[reason] ?? 0) + 1);
  while (reached < to) {
    await deps.pressure?.(true);
    if (signal.aborted) return undefined;
    const began = performance.now();
    const page = await deps.live.log.readAll({
      after: reached,
      limit: pageMessages,
      types: ["MessageRequested"],
    });
    const requests = page.events.filter(
      ({ position, metadata }) => position <= to && accountOf(metadata.partner ?? "") === account,
    );
    const twins: Twin[] = [];
    for (const [index, twin] of (await twinsOf(deps, requests)).entries())
      if (typeof twin === "string") skip(twin);
      else twins.push({ live: requests[index]!.data.message_id, send: twin });
    const refused = await sendAll(deps, space, twins, signal);
    if (refused === undefined) return undefined;
    for (const reason of refused) skip(reason);
    await failpoint("forks.sent");
    seen += requests.length;
    copied += twins.length - refused.length;
    reached = page.position === reached || page.position > to ? to : page.position;
    if (!(await paged(reached, { seen, copied, skipped }))) return undefined;
    if (seen >= mostMessages) return reached >= to;
    if (reached < to) await pause(restMs(performance.now() - began), signal);
  }
  return true;
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

/** Gives why some were refused; undefined when it was to end before all were sent. Throws `ForkStopped`. */
async function sendAll(
  { sending, sender }: ForkDeps,
  space: string,
  twins: readonly Twin[],
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  let waiting = twins;
  const refused: string[] = [];
  while (waiting.length > 0) {
    if (signal.aborted) return undefined;
    const items = waiting.map(({ live, send }): Item => ({
      body: send,
      keyParts: keyPartsOf(live),
    }));
    const ids = waiting.map(({ live }) =>
      deterministicId("msg", "sandbox", space, ...keyPartsOf(live)),
    );
    let errors: readonly (PublicError | undefined)[];
    try {
      const settled = await sending.send(sender, items, ids);
      errors = settled.map((each) => (each.kind === "sent" ? undefined : each.error));
    } catch (error) {
      const thrown = machinery(error) ?? error;
      if (!(thrown instanceof PublicError)) throw error;
      errors = waiting.map(() => thrown);
    }
    let afterMs = 0;
    const again: Twin[] = [];
    for (const [index, error] of errors.entries()) {
      if (error === undefined) continue;
      const verdict = verdictOf(error);
      if (verdict.kind === "skip") refused.push(verdict.reason);
      else if (verdict.kind === "later") {
        again.push(waiting[index]!);
        afterMs = Math.max(afterMs, verdict.afterMs);
      } else throw new ForkStopped(`${verdict.code}: ${verdict.reason}`);
    }
    waiting = again;
    if (again.length > 0) await pause(afterMs, signal);
  }
  return refused;
}
