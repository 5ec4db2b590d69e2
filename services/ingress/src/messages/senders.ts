import { type Accepted, claimSenders as claim } from "@heliograph/acceptance";
import { type EventData, PublicError } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { Append } from "@heliograph/log";
import { appendOf } from "./sealed.ts";
import type { Sender } from "./sender.ts";

type Requested = EventData<"MessageRequested">;

type Claiming = Accepted & { readonly append: Append; readonly fingerprint: string | undefined };
/** A message that is about to be appended; it may become another. */
type Ready = { value: Claiming };

export const hasClaims = ({ value: { claims } }: Ready): boolean => claims !== undefined;

/**
 * Makes the senders durable that recipients of pools have from now on, before a message says so: another request may have chosen for one of them at the same moment, and then it is right.
 * Throws `conflict` when too many did.
 */
export async function claimSenders<Value extends Claiming>(
  call: Sender,
  prepared: readonly { value: Value }[],
): Promise<void> {
  const asking: { value: Value }[] = [];
  for (const each of prepared.filter(hasClaims))
    if (await isNew(call, each.value)) asking.push(each);
  const messages = asking.map(({ value }) => value);
  for (const [place, data] of (await claimed(call, messages)).entries()) {
    const { fingerprint } = messages[place]!;
    const append = appendOf(call, { data, fingerprint }, fingerprint);
    asking[place]!.value = { ...messages[place]!, data, append };
  }
}

/** A repetition is answered as it was, and chooses for nobody. */
const isNew = async (call: Sender, { fingerprint, append }: Claiming): Promise<boolean> =>
  fingerprint === undefined ||
  (await call.deps.log.readStream(append.stream, { limit: 1 })).length === 0;

async function claimed(call: Sender, messages: readonly Accepted[]): Promise<readonly Requested[]> {
  const claims = messages.flatMap(({ claims: own = [] }) => own);
  const { fingerprint: _, ...metadata } = call.metadata();
  const chosen = await claim(call.deps.log, claims, metadata, formatTime(call.now()));
  let place = 0;
  return messages.map(({ data, claims: own = [] }) => {
    let request = data;
    for (const { pool } of own) {
      const found = chosen[place++];
      if (found === undefined)
        throw new PublicError(
          "conflict",
          "The senders of the pool are being changed; try again in a second.",
          { retryAfterSeconds: 1 },
        );
      request = withSender(request, pool.channel, found);
    }
    return request;
  });
}

type Chosen = Pick<Requested, "from" | "sender_pool">;

/** Each step of a message has a channel of its own, and a pool is of one channel. */
const withSender = (request: Requested, channel: Requested["channel"], chosen: Chosen): Requested =>
  request.channel === channel
    ? { ...request, ...chosen }
    : {
        ...request,
        failover: request.failover!.map((step) =>
          step.channel === channel ? { ...step, ...chosen } : step,
        ),
      };
