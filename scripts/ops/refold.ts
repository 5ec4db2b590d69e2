import type { Environment, EventData } from "@heliograph/contracts";
import { openControlPlane } from "@heliograph/platform";
import { openLog, prepareTables } from "@heliograph/runtime";
import { openVault, vaultTables } from "@heliograph/vault";
import { type Refolded, refoldCallbacks } from "@heliograph/delivery";
import { newProgress } from "./progress.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

type Which = {
  readonly gateway: string | undefined;
  readonly after: bigint;
  readonly to: bigint | undefined;
  readonly dryRun: boolean;
};

/**
 * Reads callbacks of the past again, by the parsers and settings of today, and shows each message whose outcome is not what was told. True when it is done. Throws OpsError where there is no such gateway.
 */
export async function refold(
  target: Target,
  environment: Environment,
  which: Which,
  signal: AbortSignal,
): Promise<boolean> {
  const { settings, server, logger } = target;
  // What callbacks say is sealed.
  const { directory, masterKey, close } = await openControlPlane(settings, server, "given", logger);
  const progress = newProgress(`refold (${environment})`);
  try {
    const { gateway } = which;
    // One that is gone has no parser's settings, and so nothing to be read by.
    if (gateway !== undefined && !directory.gateways(environment).some((is) => is.name === gateway))
      throw new OpsError(`${environment} has no gateway ${gateway}`);
    const pool = await target.pool(environment);
    await prepareTables(pool, [vaultTables]);
    const vault = await openVault(pool, masterKey, environment);
    const log = await openLog(settings, server, environment, logger);
    let reached = which.after;
    try {
      const head = await log.head();
      const sums = await refoldCallbacks(
        { environment, directory, log, pool, vault, masterKey },
        {
          ...which,
          signal,
          onProgress(position) {
            reached = position;
            const total = log.span(which.after, head);
            progress.show(log.span(which.after, position), total);
          },
          onCorrection(correction) {
            progress.end();
            process.stdout.write(`${sayCorrection(correction)}\n`);
          },
        },
      );
      progress.end();
      process.stdout.write(`${saySums(sums, which.dryRun)}\n`);
      return true;
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new OpsError(`interrupted; go on with --from ${reached}`, { cause: error });
    } finally {
      await log.close();
    }
  } finally {
    progress.end();
    await close();
  }
}

const sayCorrection = ({ message_id, before, status, reason }: EventData<"MessageCorrected">) =>
  `${message_id}  ${before.status} -> ${status}  ${reason}`;

function saySums(sums: Refolded, dryRun: boolean): string {
  const count = (value: number): string => value.toLocaleString("en");
  const left = [
    [sums.erased, "of people who were erased"],
    [sums.unmatched, "about messages that are not known"],
    [sums.unreadable, "that cannot be read"],
  ] as const;
  const skipped = left
    .filter(([times]) => times > 0)
    .map(([times, what]) => `${count(times)} ${what}`);
  return (
    `${count(sums.callbacks)} callbacks were read again: ${count(sums.receipts)} receipts say something else, ` +
    `${count(sums.corrected)} messages ${dryRun ? "would be" : "are"} corrected` +
    (skipped.length === 0 ? "" : `; left as they are: ${skipped.join(", ")}`)
  );
}
