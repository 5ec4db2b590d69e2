import { openSuppressed } from "@heliograph/acceptance";
import { sameRecipient } from "@heliograph/channels";
import { streamOf, type Channel } from "@heliograph/contracts";
import {
  evolveSuppression,
  stoppedBy,
  suppressionName,
  type Suppression,
} from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import { isSealed, keyIdOf, rememberedMs, type Vault } from "@heliograph/vault";
import { createClearance } from "../../services/dispatch/src/clearance.ts";
import type { State } from "../../services/dispatch/src/state.ts";
import type { Clearing, Look, World } from "../../services/dispatch/test/sim-world.ts";
import type { Keys } from "../../packages/vault/test/sim-keys.ts";
import { slowLog } from "./flights.ts";

type Verdict = Awaited<ReturnType<Clearing["clear"]>>;
type Recipient = { readonly channel: Channel; readonly to: string };

/** All names under which somebody may have been stopped. */
export const namesOf = (
  vault: Pick<Vault, "name">,
  partner: string,
  { channel, to }: Recipient,
): readonly string[] =>
  [to, ...sameRecipient(channel, to)].map((each) => suppressionName(vault, partner, channel, each));

/** What the streams of a recipient told up to a position. */
export async function suppressionsOf(
  log: EventLog,
  names: readonly string[],
  upTo: bigint,
): Promise<{ readonly periods: Suppression; readonly firstAt: bigint | undefined }> {
  let periods: Suppression = [];
  let firstAt: bigint | undefined;
  for (const name of names) {
    let own: Suppression | undefined;
    for (const event of await log.readStream(streamOf("suppression", name))) {
      if (event.position > upTo) break;
      own = evolveSuppression(own, event);
      firstAt ??= event.position;
    }
    periods = [...periods, ...(own ?? [])];
  }
  return { periods, firstAt };
}

const activeIn = (periods: Suppression) =>
  periods
    .filter(({ ended }) => ended === undefined)
    .map(({ started: { suppression_id: id, applies_to, reason } }) => ({ id, applies_to, reason }));

/** How a dispatcher clears messages: by the platform's own code, which follows the log in its own time; each verdict is held against what it could know. */
export function openClearing(
  world: World,
  { keys, vault, plain }: { keys: Keys; vault: Vault; plain: Vault },
  look: Look,
): Clearing {
  const { log } = world;
  /** Up to here it was told who is suppressed. */
  let heard = 0n;
  let caughtUp = false;
  async function* subscribe(options: Parameters<EventLog["subscribe"]>[0]) {
    for await (const batch of log.subscribe(options)) {
      // As long as chance has it: what it is not told yet it does not know.
      if (batch.events.length > 0)
        for (let left = world.draw() * 12; left > 0; left--) await look(async () => undefined);
      yield batch;
      heard = batch.position;
      caughtUp ||= batch.caughtUp;
    }
  }
  const slow = slowLog(log, look, true);
  const own: EventLog = new Proxy(slow, {
    get: (target, name) => (name === "subscribe" ? subscribe : Reflect.get(target, name)),
  });
  const suppressed = openSuppressed({ log: own, vault }, () => undefined);
  const clear = createClearance(vault, suppressed, () => undefined);

  /** What was opened before it was gone, or soon after, may go. */
  function looksAtKey({ request }: State, begun: number, about: (what: string) => void): void {
    if (!isSealed(request.to)) return;
    const endedAt = keys.endOf(keyIdOf(request.to)!);
    if (endedAt !== undefined && begun > endedAt + rememberedMs) about("goes to who is erased");
  }

  return {
    async clear(state) {
      const before = { position: await log.head(), heard, caughtUp, at: performance.now() };
      const verdict: Verdict = await clear(state);
      const { request, requestEvent } = state;
      const about = (what: string): void => void world.faults.push(`${request.message_id} ${what}`);
      if (verdict.type === "cleared") looksAtKey(state, before.at, about);
      const partner = requestEvent.metadata.partner!;
      const to = (await plain.open(partner, request.to))(request.to);
      if (to === "[erased]") return verdict;
      const names = namesOf(plain, partner, { channel: request.channel, to });
      const head = await log.head();
      const [then, now] = [
        await suppressionsOf(log, names, before.position),
        await suppressionsOf(log, names, head),
      ];
      const stops = (periods: Suppression) => stoppedBy(activeIn(periods), request.category);
      const isKnown =
        then.firstAt !== undefined && (!before.caughtUp || then.firstAt <= before.heard);
      const stop = stops(then.periods);
      const lasts = stop !== undefined && stops(now.periods)?.id === stop.id;
      if (verdict.type === "cleared" && request.keyword === undefined && isKnown && lasts)
        about(`goes to a recipient whom ${stop.id} stops`);
      const isStopped = verdict.type === "stopped" && verdict.code === "recipient_suppressed";
      if (
        isStopped &&
        !now.periods.some(({ started }) => verdict.reason.includes(started.suppression_id))
      )
        about("is stopped by nothing");
      return verdict;
    },
    close: () => void suppressed.release(),
  };
}
