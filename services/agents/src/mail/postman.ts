import { openSecret, sealSecret, uuid5 } from "@heliograph/contracts";
import type { ApiContext } from "@heliograph/api";
import { addMail, dropMail, postponeMail, takeMail } from "@heliograph/platform";
import type pg from "pg";
import { openMailPort, type Mail } from "./port.ts";

/** Another process tries when this one ended with a mail in hand. */
const leaseSeconds = 60;
const lookEveryMs = 5_000;
const [firstRetrySeconds, slowestRetrySeconds] = [5, 3_600];
/** Two days of tries: what an invitation says is over by then. */
const maxTries = 55;

/** Keeps a mail until it is sent, in the transaction of what it tells. */
export const postMail = (
  client: pg.ClientBase,
  masterKey: Buffer,
  name: string,
  mail: Mail,
): Promise<void> =>
  addMail(client, uuid5("mail", name), sealSecret(masterKey, JSON.stringify(mail)));

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
