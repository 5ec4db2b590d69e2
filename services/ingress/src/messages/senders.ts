import {
  type Accepted,
  type AsksSender,
  claimSenders,
  readChoices,
  type SenderClaim,
  senderIn,
} from "@heliograph/acceptance";
import { type EventData, PublicError } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { Append } from "@heliograph/log";
import { appendOf } from "./sealed.ts";
import type { Sender } from "./sender.ts";

type Requested = EventData<"MessageRequested">;

type Asking = Accepted & { readonly append: Append; readonly fingerprint: string | undefined };
/** A message that is about to be appended; it may become another. */
type Ready = { value: Asking };
type Found = NonNullable<ReturnType<typeof senderIn>>;
type Chosen = Found["chosen"];

export const asksSenders = ({ value: { asks = [] } }: Ready): boolean => asks.length > 0;

/**
 * Gives messages the senders that their recipients see, found once: every attempt is made with them. Those that recipients have from now on are made durable, before a message says so: another
 * request may have chosen for one of them at the same moment, and then it is right. Three questions to the log however many messages there are. Throws `conflict` when too many chose at once.
 */
export async function giveSenders<Value extends Asking>(
  call: Sender,
  prepared: readonly { value: Value }[],
): Promise<void> {
  const asking = prepared.filter(asksSenders);
  const found = await foundFor(
    call,
    asking.map(({ value }) => value),
  );
  const fresh = await newOnes(
    call,
    asking.flatMap(({ value }, place) => {
      const claims = found[place]!.flatMap(({ claim }) => claim ?? []);
      return claims.length === 0 ? [] : [{ value, claims }];
    }),
  );
  const settled = await settle(
    call,
    fresh.flatMap(({ claims }) => claims),
  );
  for (const [place, each] of asking.entries()) {
    const { value } = each;
    const chosen = found[place]!.map((own) => (own.claim && settled.get(own.claim)) ?? own.chosen);
    const { fingerprint } = value;
    const data = withChosen(value, chosen);
    each.value = { ...value, data, append: appendOf(call, { data, fingerprint }, fingerprint) };
  }
}

/** What a message asks for that goes from no other sender of a pool than the one it names. */
export const keepingSenders = ({ asks = [] }: Accepted): readonly AsksSender[] =>
  asks.map((ask) => {
    const { usable, preferred } = ask;
    return preferred !== undefined && usable.includes(preferred)
      ? { ...ask, usable: [preferred] }
      : ask;
  });

/** The message as it would be if it were sent now, for who only wants to know that. */
export async function withSenders(call: Sender, accepted: Accepted): Promise<Accepted> {
  const { asks = [] } = accepted;
  if (asks.length === 0) return accepted;
  const [found] = await foundFor(call, [accepted]);
  const chosen = found!.map((each) => each.chosen);
  return { ...accepted, data: withChosen(accepted, chosen) };
}

/** What the recipients of each message have, or would be given. */
async function foundFor(
  { deps, partner: { partner_id } }: Sender,
  messages: readonly Accepted[],
): Promise<readonly (readonly Found[])[]> {
  const asked = messages.map(({ asks = [] }) => asks);
  const recipients = (await readChoices(deps, partner_id, asked.flat())).values();
  return asked.map((asks) =>
    asks.map(({ pool, usable, preferred }) =>
      senderIn(pool, usable, recipients.next().value!, preferred)!,
    ),
  );
}

/** A repetition is answered as it was, and chooses for nobody. */
async function newOnes<One extends { readonly value: Asking }>(
  { deps: { log } }: Sender,
  claiming: readonly One[],
): Promise<readonly One[]> {
  const keyed = claiming.filter(({ value }) => value.fingerprint !== undefined);
  if (keyed.length === 0) return claiming;
  const streams = await log.readStreams(
    keyed.map(({ value }) => value.append.stream),
    { limit: 1 },
  );
  return claiming.filter(({ value }) => (streams.get(value.append.stream)?.length ?? 0) === 0);
}

async function settle(
  call: Sender,
  claims: readonly SenderClaim[],
): Promise<ReadonlyMap<SenderClaim, Chosen>> {
  if (claims.length === 0) return new Map();
  const { fingerprint: _, ...metadata } = call.metadata();
  const found = await claimSenders(call.deps.log, claims, metadata, formatTime(call.now()));
  return new Map(
    claims.map((claim, place) => {
      const chosen = found[place];
      if (chosen === undefined)
        throw new PublicError(
          "conflict",
          "The senders of the pool are being changed; try again in a second.",
          { retryAfterSeconds: 1 },
        );
      return [claim, chosen];
    }),
  );
}

/** The request with the senders that it asked for. Each step of a message has a channel of its own, and a pool is of one channel. */
const withChosen = ({ data, asks = [] }: Accepted, chosen: readonly Chosen[]): Requested =>
  asks.reduce((request, { pool: { channel } }, place) => {
    const sender = chosen[place]!;
    if (request.channel === channel) return { ...request, ...sender };
    const failover = request.failover!.map((step) =>
      step.channel === channel ? { ...step, ...sender } : step,
    );
    return { ...request, failover };
  }, data);
