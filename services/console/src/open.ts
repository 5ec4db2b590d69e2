import type { Web, WebContext } from "@heliograph/api";
import { prepareTables, untilItAnswers } from "@heliograph/runtime";
import { createDesk } from "./desk.ts";
import { sendPage } from "./http/answer.ts";
import { base } from "./page.ts";
import { openHub } from "./live/hub.ts";
import { openSessions } from "./sessions.ts";
import { consoleTables } from "./tables/sessions.ts";
import { brokenPage } from "./view/states.ts";

/** What the console has of its own: cookies in a table, a key that seals them, and the address of the REST surface. No log, no read model. */
type Needs = Pick<
  WebContext,
  "platformPool" | "masterKey" | "settings" | "logger" | "apiUrl" | "stopping"
>;

/** Pages below `/console`, made of what the REST surface tells the agent who is signed in. */
export async function openConsole(context: Needs): Promise<Web> {
  const { platformPool: pool, masterKey, settings, logger, apiUrl, stopping } = context;
  await untilItAnswers("the database", context, () => prepareTables(pool, [consoleTables]));
  const sessions = openSessions(pool, masterKey);
  const hub = openHub(sessions, stopping);
  const answer = createDesk({ sessions, hub, masterKey, settings, apiUrl });
  return {
    serves: (path) => path === base || path.startsWith(`${base}/`),
    async handle(request, response) {
      try {
        await answer(request, response);
      } catch (error) {
        logger.error({ err: error }, "a page of the console failed");
        if (response.headersSent) response.destroy();
        else sendPage(response, 500, brokenPage());
      }
    },
    close: async () => undefined,
  };
}
