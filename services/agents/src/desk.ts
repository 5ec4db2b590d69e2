import { environments, type Environment } from "@heliograph/contracts";
import { type ApiContext, type FindSession, type Hosted, hosted } from "@heliograph/api";
import { purgeCredentials } from "@heliograph/platform";
import { announceRest, announceShutOut, isShutOut, tellEndedSessions } from "./announce.ts";
import { openPostman, type Postman } from "./mail/postman.ts";
import { openSessionFinder, type SessionFinder } from "./session-finder.ts";
import { endRunOut, purgeSessions } from "./tables/sessions.ts";

/** A crash between a password's change and its announcement leaves old sessions alive for so long. */
const announceEveryMs = 5_000;
/** Stored answers live for a minute, and a little more. */
const purgeEveryMs = 60_000;

type Desk = Hosted & {
  readonly session: FindSession;
  readonly finders: Readonly<Record<Environment, SessionFinder>>;
  readonly postman: Postman;
};

/** What sign-in keeps in a process that serves the API. */
export const desk = hosted(async (context: ApiContext): Promise<Desk> => {
  const { directory } = context;
  const finder = (environment: Environment): SessionFinder =>
    openSessionFinder(context.environments[environment].projectionPool, environment);
  const finders = { live: finder("live"), sandbox: finder("sandbox") };
  // A process that ended while it shut somebody out has told one environment, or none.
  let shutOut = directory
    .partners()
    .flatMap(({ partner_id }) => directory.agentsOf(partner_id))
    .filter(isShutOut);
  const announcing = repeat(
    announceEveryMs,
    async () => {
      await announceRest(context);
      await announceShutOut(context, shutOut);
      shutOut = [];
      for (const environment of environments) await tellEndedSessions(context, environment);
    },
    context,
  );
  const purging = repeat(
    purgeEveryMs,
    async () => {
      await purgeCredentials(context.platformPool);
      for (const environment of environments) {
        const { pool } = context.environments[environment];
        await endRunOut(pool);
        await purgeSessions(pool);
      }
    },
    context,
  );
  const postman = openPostman(context);
  return {
    session: (environment, sha256) => finders[environment].find(sha256),
    finders,
    postman,
    async close() {
      await announcing();
      await purging();
      await postman.close();
    },
  };
});

/** Does the work now and again; what fails is told, and done the next time. Gives how to end it. */
function repeat(
  everyMs: number,
  work: () => Promise<void>,
  { logger }: Pick<ApiContext, "logger">,
): () => Promise<void> {
  let running: Promise<void> | undefined;
  const run = (): void => {
    running ??= work()
      .catch((error: unknown) => logger.warn({ err: error }, "sign-in has work left"))
      .finally(() => (running = undefined));
  };
  const timer = setInterval(run, everyMs);
  timer.unref();
  run();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
