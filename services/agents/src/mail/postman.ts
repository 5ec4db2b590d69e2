import { openSecret } from "@heliograph/contracts";
import type { ApiContext } from "@heliograph/api";
import { dropMail, postponeMail, takeMail, type Mail } from "@heliograph/platform";
import { openMailPort } from "./port.ts";

/** Another process tries when this one ended with a mail in hand. */
const leaseSeconds = 60;
/** Consumers of other services leave mail without a word. */
const lookEveryMs = 1_000;
const [firstRetrySeconds, slowestRetrySeconds] = [5, 3_600];
/** Two days of tries: what an invitation says is over by then. */
const maxTries = 55;

export type Postman = {
  /** There is mail. */
  hurry(): void;
  close(): Promise<void>;
};

/** Sends what waits, one after the other; what cannot be sent is tried again, by whichever process comes first. */
export function openPostman(
  context: Pick<ApiContext, "platformPool" | "masterKey" | "settings" | "logger">,
): Postman {
  const { platformPool: pool, masterKey, settings, logger } = context;
  const port = openMailPort(settings);
  logger.info(
    { to: port.target },
    settings.mailUrl === undefined
      ? "mail is written into this folder: HELIOGRAPH_MAIL_URL is not set"
      : "mail is sent by this server",
  );
  let stopping = false;
  let running: Promise<void> | undefined;

  async function deliver(): Promise<void> {
    while (!stopping) {
      const waiting = await takeMail(pool, leaseSeconds);
      if (waiting === undefined) return;
      const { id, sealed, tries } = waiting;
      try {
        await port.send(id, JSON.parse(openSecret(masterKey, sealed)) as Mail);
        await dropMail(pool, id);
      } catch (error) {
        const last = tries >= maxTries;
        logger.warn({ err: error, mail: id, tries }, last ? "mail given up" : "mail not sent yet");
        if (last) await dropMail(pool, id);
        else
          await postponeMail(
            pool,
            id,
            Math.min(firstRetrySeconds * 2 ** (tries - 1), slowestRetrySeconds),
          );
      }
    }
  }

  const hurry = (): void => {
    running ??= deliver()
      .catch((error: unknown) => logger.warn({ err: error }, "mail waits"))
      .finally(() => (running = undefined));
  };
  const timer = setInterval(hurry, lookEveryMs);
  timer.unref();
  hurry();
  return {
    hurry,
    async close() {
      stopping = true;
      clearInterval(timer);
      await running;
      port.close();
    },
  };
}
