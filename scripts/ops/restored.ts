import { environments, streamOf, uuid7, type Environment } from "@heliograph/contracts";
import { restoreRaise } from "@heliograph/domain";
import type { Append } from "@heliograph/log";
import { openLog } from "@heliograph/runtime";
import { actor, onControlPlane } from "./control-plane.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/** Events of one call to the log. */
const maxAppends = 500;

/**
 * After a restore to an earlier point, before anything is served: raises every partner's sequence in both environments, so that no number which somebody
 * may have seen is given to another event. Doing it twice leaves out more numbers and harms nothing. True when it is done.
 */
export const restored = (target: Target): Promise<boolean> =>
  onControlPlane(target, async ({ directory }) => {
    const partners = directory.partners().map(({ partner_id }) => partner_id);
    for (const environment of environments) {
      const spaces = partners.map((partner) => directory.spaceOf(environment, partner));
      await raise(target, environment, spaces);
    }
    say(
      `The sequences of ${partners.length} partners go on ${restoreRaise.toLocaleString("en")} higher in ${environments.join(" and ")}.`,
    );
  });

async function raise(
  { settings, server, logger }: Target,
  environment: Environment,
  partners: readonly string[],
): Promise<void> {
  const log = await openLog(settings, server, environment, logger);
  try {
    for (let from = 0; from < partners.length; from += maxAppends) {
      const appends = partners.slice(from, from + maxAppends).map(raisedFor);
      for (const outcome of await log.append(appends))
        if (outcome.kind === "invalid") throw new OpsError(outcome.message);
    }
  } finally {
    await log.close();
  }
}

const raisedFor = (partner: string): Append => ({
  stream: streamOf("feed", partner),
  expected: "any",
  events: [
    {
      id: uuid7(),
      type: "SequenceRaised",
      data: { partner_id: partner, raised_by: restoreRaise, at: new Date().toISOString() },
      metadata: { partner, actor },
    },
  ],
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);
