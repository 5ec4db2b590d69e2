import { SchemaTooNew } from "@heliograph/log";
import { pause } from "./faults.ts";
import { rebuildProjector } from "./rebuild.ts";
import { tryLock, unlock } from "./tables/leases.ts";
import { storedVersion, versionOf } from "./tables/schema.ts";
import type { Projector, ServiceContext } from "./types.ts";

const lookAgainMs = 1_000;

/**
 * Sees that a projector's tables are those of this release before it runs. Tables of an older version are rebuilt beside the old ones, which serve meanwhile and
 * which a process of the older release goes on writing; the swap fences that process. Of several processes of this release one rebuilds and the others wait.
 * Resolves at once where nothing is to be done. Throws SchemaTooNew when a newer release has rebuilt them: this one must not write into them.
 */
export async function renewTables(
  context: ServiceContext,
  projector: Projector,
  signal: AbortSignal,
  onRebuild: () => void,
): Promise<void> {
  const { name, schema } = projector;
  const wanted = versionOf(projector);
  for (;;) {
    signal.throwIfAborted();
    const stored = (await storedVersion(context.pool, schema, name)) ?? wanted;
    if (stored === wanted) return;
    if (stored > wanted)
      throw new SchemaTooNew(
        `the tables of ${name} belong to a newer release: they are of version ${stored}, and this one knows ${wanted}`,
      );
    onRebuild();
    const rebuilt = await alone(context, `${name}/renewal`, async () => {
      if ((await storedVersion(context.pool, schema, name)) !== stored) return;
      context.logger.info(
        { projector: name, from: stored, to: wanted },
        "tables are rebuilt for this release",
      );
      const { events, seconds } = await rebuildProjector(context, projector, {
        verifyOnly: false,
        signal,
      });
      context.logger.info({ projector: name, events, seconds }, "tables are rebuilt");
    });
    if (!rebuilt) await pause(lookAgainMs, signal);
  }
}

/** Runs the work while no other process does; false when one does. */
async function alone(
  context: ServiceContext,
  name: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const client = await context.pool.connect();
  let broken = true;
  try {
    const held = await tryLock(client, name);
    if (held) {
      await work();
      await unlock(client, name);
    }
    broken = false;
    return held;
  } finally {
    // A session that may still hold the lock ends with its connection.
    client.release(broken);
  }
}
