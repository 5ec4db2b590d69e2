import type { Suppressed } from "@heliograph/acceptance";
import { type GatewayTools, recordMove } from "@heliograph/gateways";
import type { ServiceContext } from "@heliograph/runtime";

/** Keeps where a recipient is who has moved, and says whether he may be written to there: nobody has asked that yet. */
export const moverOf =
  (
    { log, vault, logger }: Pick<ServiceContext, "log" | "vault" | "logger">,
    suppressed: Pick<Suppressed, "find">,
  ): NonNullable<GatewayTools["onMoved"]> =>
  async (attempt, to) => {
    const { partner, channel, to: from, messageId, category = "transactional" } = attempt;
    const told = { actor: "dispatch", correlation: messageId };
    // The message does not wait for it: whoever writes to the old address is told again.
    recordMove({ log, vault }, { partner, channel, from, to }, told).catch((err: unknown) =>
      logger.warn({ message: messageId, err }, "that a recipient has moved was not recorded"),
    );
    // An answer to a keyword goes out although it is about that very suppression.
    if (attempt.automatic === true) return true;
    return (await suppressed.find(partner, { channel, to, category })) === undefined;
  };
