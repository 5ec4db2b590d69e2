import { accountOf, PublicError, type EventType } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { checkpointOf, holding } from "@heliograph/runtime";
import type { Call } from "./call.ts";

/** So far behind the log a read model is looked past: some 200 ms of reading, before anything is locked. */
const mostUnseen = 500_000;
const eventsAtOnce = 1_000;

type Unseen = { readonly events: readonly RecordedEvent[]; readonly position: bigint };

/** The caller's events of some types behind a position. Throws `overloaded` where those of all are too many to be read. */
async function eventsAfter(
  { account, deps: { log } }: Call<unknown, unknown>,
  types: readonly EventType[],
  position: bigint,
): Promise<Unseen> {
  let after = position;
  const head = await log.head();
  if (log.span(after, head) > mostUnseen)
    throw new PublicError("overloaded", "What there is already cannot be counted now.", {
      retryAfterSeconds: 5,
    });
  const events: RecordedEvent[] = [];
  while (after < head) {
    const page = await log.readAll({ after, limit: eventsAtOnce, types });
    // They name the space in which they were written, and are the account's whichever that was.
    events.push(
      ...page.events.filter(({ metadata }) => accountOf(metadata.partner ?? "") === account),
    );
    if (page.position === after) break;
    after = page.position;
  }
  return { events, position: after };
}

/** Things of which a partner may have so many, each with a stream of its own and a row in a read model. */
export type Counted = {
  /** In the plural, as the lock is called. */
  readonly name: string;
  /** Of the read model. */
  readonly schema: string;
  readonly made: EventType;
  readonly gone: EventType;
  /** The field of both in which the id stands. */
  readonly id: string;
};

/**
 * Runs what makes one more while nobody else makes any for the same partner, whichever process it asks. `known` gives the ids that the read model has; the work is told how many there are beside its own.
 * A read model alone would let those who ask at once all pass. Throws `overloaded` where it is far behind the log, or others go before for too long.
 */
export function amongAll<Result>(
  call: Call<unknown, unknown>,
  { name, schema, made, gone, id }: Counted,
  known: () => Promise<readonly string[]>,
  work: (others: (own: string) => number) => Promise<Result>,
): Promise<Result> {
  const { account, env, context, deps } = call;
  const types = [made, gone];
  // Read before the read model is: what is in neither was not there.
  const unseen = async (): Promise<Unseen> =>
    eventsAfter(call, types, await checkpointOf(deps.projectionPool, schema, account));
  // The lock takes a connection, and what is read under it another one: of one pool those who hold a lock could wait for each other.
  return holding(
    context.platformPool,
    `${name} ${env} ${account}`,
    async (before: Unseen) => {
      const { events } = await eventsAfter(call, types, before.position);
      const ids = new Set(await known());
      for (const { type, data } of [...before.events, ...events]) {
        const own = (data as Readonly<Record<string, string>>)[id]!;
        if (type === made) ids.add(own);
        else ids.delete(own);
      }
      return work((own) => ids.size - Number(ids.has(own)));
    },
    unseen,
  );
}
