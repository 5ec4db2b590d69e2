import { openDirectory, type Directory } from "@heliograph/directory";
import type { Append, EventLog } from "@heliograph/log";
import { createDatabases, openLog } from "@heliograph/runtime";
import { OpsError, type Target } from "./target.ts";

export type ControlPlane = {
  readonly log: EventLog;
  readonly directory: Directory;
  /** Appends all of them, and resolves when the directory shows them. Throws OpsError where somebody else was first. */
  append(appends: readonly Append[]): Promise<void>;
};

/** Who did it, in the metadata of every event that a command appends. */
export const actor = "ops";

/** Works on the platform log (partners, keys, gateways), also before any service has run. True when the work is done. */
export async function onControlPlane(
  target: Target,
  work: (plane: ControlPlane) => Promise<void>,
): Promise<boolean> {
  await createDatabases(target.server);
  const log = await openLog(target.settings, target.server, "platform", target.logger);
  const directory = await openDirectory(log, ({ position, type }, flaw) =>
    target.logger.error(
      { position: `${position}`, type, error: flaw },
      "a damaged event is passed over",
    ),
  );
  try {
    await work({
      log,
      directory,
      async append(appends) {
        for (const outcome of await log.append(appends)) {
          if (outcome.kind === "invalid") throw new OpsError(outcome.message);
          if (outcome.kind === "conflict")
            throw new OpsError("somebody else has changed it in this moment; look again");
          await directory.caughtUp(outcome.position);
        }
      },
    });
    return true;
  } finally {
    await directory.close();
    await log.close();
  }
}
