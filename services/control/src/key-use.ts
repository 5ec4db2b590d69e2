import { environments } from "@heliograph/contracts";
import type { ApiContext, Call, Hosted } from "@heliograph/api";
import type { Key } from "@heliograph/platform";
import { readUses, writeUses } from "./tables/key-use.ts";

/** A key is written once in so long: its last use is known to the minute. */
const sampleMs = 60_000;
const flushEveryMs = 1_000;

/** Notes when keys are used, behind the answers: a map is looked at on the way of a request, and once a minute for a key it waits to be written. */
export function openKeyUse({
  environments: all,
  logger,
}: ApiContext): Required<Pick<Hosted, "used" | "close">> {
  const notedAt = new Map<string, number>();
  const waiting = { live: new Map<string, number>(), sandbox: new Map<string, number>() };
  let timer: NodeJS.Timeout | undefined;
  const flush = async (): Promise<void> => {
    timer = undefined;
    for (const environment of environments) {
      const uses = waiting[environment];
      if (uses.size === 0) continue;
      waiting[environment] = new Map();
      // Of what a database that is away does not take, the next minute's is written.
      await writeUses(all[environment].pool, uses).catch((error: unknown) =>
        logger.warn({ err: error, environment }, "the last use of keys was not noted"),
      );
    }
  };
  return {
    used({ key_id: id, environment }, now) {
      if (now - (notedAt.get(id) ?? -Infinity) < sampleMs) return;
      notedAt.set(id, now);
      waiting[environment].set(id, now);
      timer ??= setTimeout(() => void flush(), flushEveryMs);
    },
    async close() {
      clearTimeout(timer);
      await flush();
    },
  };
}

/** When each of the keys was last used. */
export async function usesOf(
  { context }: Pick<Call, "context">,
  keys: readonly Key[],
): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(
    environments.map((environment) => {
      const ids = keys.filter((key) => key.environment === environment).map((key) => key.key_id);
      return readUses(context.environments[environment].projectionPool, ids);
    }),
  );
  return new Map(found.flatMap((uses) => [...uses]));
}
