import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { keysOf, type MasterKey } from "@heliograph/contracts";
import { messageOf, type Settings, StartError } from "@heliograph/runtime";
import type pg from "pg";
import type { Logger } from "pino";
import { fingerprintsOf, opensSample } from "./master-key.ts";
import { addProcess, keepProcess, removeProcess } from "./store.ts";

const beatMs = 10_000;

/**
 * Shows which keys this process has, until it is closed: a rotation of the master key does not begin before every process has the new one, nor end while one seals with the one before.
 * Throws StartError where a rotation has begun since the key was read.
 */
export async function showProcess(
  config: pg.ClientConfig,
  masterKey: MasterKey,
  { services }: Pick<Settings, "services">,
): Promise<{ keep(pool: pg.Pool, logger: Logger): () => Promise<void> }> {
  const [sealsWith, opensToo] = fingerprintsOf(masterKey);
  const name = `${services.length === 1 ? services[0] : "heliograph"} (${hostname()}/${process.pid})`;
  const shown = { id: randomUUID(), name, sealsWith: sealsWith!, opensToo };
  if (!opensSample(keysOf(masterKey)[0]!, await addProcess(config, shown)))
    throw new StartError(
      "the rotation of the master key began while this process started: start it again",
    );
  return { keep: (pool, logger) => keepShown(pool, shown, logger) };
}

/** Gives what ends it. */
function keepShown(
  pool: pg.Pool,
  shown: Parameters<typeof keepProcess>[1],
  logger: Logger,
): () => Promise<void> {
  // A database that does not answer must not hold up the end of the process, which then is shown for a minute more.
  let answers = true;
  const timer = setInterval(() => {
    answers = false;
    keepProcess(pool, shown).then(
      () => (answers = true),
      (error: unknown) =>
        logger.debug({ error: messageOf(error) }, "the process could not be shown"),
    );
  }, beatMs).unref();
  return async () => {
    clearInterval(timer);
    if (answers) await removeProcess(pool, shown.id).catch(() => undefined);
  };
}
