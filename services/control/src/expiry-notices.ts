import { streamOf, uuid5 } from "@heliograph/contracts";
import type { ApiContext, Hosted } from "@heliograph/api";
import { change } from "@heliograph/log";
import type { Key } from "@heliograph/platform";
import { decideNotice, dueNotice, evolveNotice } from "./decide-expiry.ts";

/** Notices are of days: a minute late is on time. */
const lookEveryMs = 60_000;
/** After a change of keys: whoever issues one that ends soon is told soon. */
const settleMs = 500;

/**
 * Tells partners that keys of theirs end soon, in the log of the key's environment. What is due follows from the keys, and what was told from the log, so nothing is kept that a
 * restart could lose; every process that serves the API looks, and of those that find the same, one writes it.
 */
export function openExpiryNotices(context: ApiContext): Pick<Hosted, "close"> {
  const { directory, logger } = context;
  const told = new Map<string, number>();
  let looking = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let dueAtMs = Infinity;
  let closed = false;

  const look = async (): Promise<void> => {
    for (const { partner_id } of directory.partners())
      for (const key of directory.keysOf(partner_id)) {
        const days = dueNotice(key, Date.now());
        if (days === undefined || told.get(key.key_id) === days) continue;
        await tell(context, key, days);
        told.set(key.key_id, days);
      }
  };
  const run = (): void => {
    dueAtMs = Infinity;
    looking = looking
      .then(look)
      .catch((error: unknown) => logger.warn({ err: error }, "keys that end were not told of"))
      .finally(() => soon(lookEveryMs));
  };
  const soon = (delayMs: number): void => {
    const atMs = performance.now() + delayMs;
    if (closed || atMs >= dueAtMs) return;
    dueAtMs = atMs;
    clearTimeout(timer);
    timer = setTimeout(run, delayMs);
    timer.unref();
  };
  const forget = directory.onChange(() => soon(settleMs));
  soon(settleMs);
  return {
    async close() {
      closed = true;
      forget();
      clearTimeout(timer);
      await looking;
    },
  };
}

async function tell(
  { environments, directory }: ApiContext,
  key: Key,
  days: number,
): Promise<void> {
  const { key_id, partner_id, environment, expires_at = "" } = key;
  const now = Date.now();
  await change<number>(environments[environment].log.forPartner(partner_id), {
    stream: streamOf("key", key_id),
    evolve: evolveNotice,
    decide: (told) => decideNotice(told, key, days, now),
    eventId: uuid5("KeyExpiring", key_id, expires_at, String(days)),
    metadata: { partner: directory.spaceOf(environment, partner_id), actor: "service:control" },
  });
}
