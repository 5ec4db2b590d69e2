import type { Append } from "@heliograph/log";
import { openControlPlane, type ControlPlane } from "@heliograph/platform";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

export type Work = Pick<ControlPlane, "log" | "directory"> & {
  /** Appends all of them, and resolves when the directory shows them. Throws OpsError where somebody else was first. */
  append(appends: readonly Append[]): Promise<void>;
};

/** Who did it, in the metadata of every event that a command appends. */
export const actor = "ops";

/** Works on the platform log (partners, keys, gateways), also before any service has run. True when the work is done. */
export async function onControlPlane(
  target: Target,
  work: (plane: Work) => Promise<void>,
): Promise<boolean> {
  const { settings, server, logger } = target;
  const { log, directory, close } = await openControlPlane(settings, server, "unused", logger);
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
    await close();
  }
}
