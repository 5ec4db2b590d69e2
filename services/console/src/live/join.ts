import { originOf, type Router } from "@heliograph/api";
import { formOf } from "@heliograph/html";
import type { Arrival, Deps } from "../arrival.ts";
import { Refused } from "../client.ts";
import { sendPage } from "../http/answer.ts";
import { base, type Page, type Visit } from "../page.ts";
import { apiOf } from "../platform-session.ts";
import type { Session } from "../sessions.ts";
import { notAForm } from "../view/states.ts";
import { regionsIn } from "./region.ts";
import { openTab } from "./tab.ts";

/** What a page may depend on, and how long its address is: far above what our pages have. */
const maxWords = 20;
const maxChars = 2_000;

/** Answers `GET /console/live`: the regions of `page` as they change, until the session ends. */
export function joinLive(
  deps: Deps,
  router: Router<Page>,
  arrival: Arrival,
  session: Session | undefined,
): void {
  const { request, response, query, link } = arrival;
  // A refusal would be asked for again: these are words that end it.
  const refuse = (why: string): void => openTab(response, "").end(why);
  if (session === undefined) return refuse("Your session has ended. Sign in again to go on.");
  const { who, environment } = session.data;
  if (query.text("world") !== environment)
    return refuse("This page is of the other world: you have switched in another tab.");
  const page = query.text("page").slice(0, maxChars);
  const { pathname, searchParams } = URL.parse(page, "http://console") ?? new URL("http://console");
  const match = router.match("GET", pathname);
  // A page without regions would be made again for nothing, and a file be asked for.
  const watched = match.kind === "found" && match.target.live === true;
  if (request.method !== "GET" || !page.startsWith(base) || !watched)
    return sendPage(response, 400, notAForm());
  const api = apiOf(link, deps.sessions, session);
  const visit: Visit = {
    who,
    environment,
    params: match.params,
    query: formOf(searchParams),
    form: formOf([]),
    csrf: session.csrf,
    origin: originOf(request, deps.settings),
    api,
  };
  const render = async () => {
    const shown = await match.target.answer(visit).catch((error: unknown) => {
      // It is there no more: what was seen stays.
      if (error instanceof Refused && error.problem.status < 500) return undefined;
      throw error;
    });
    if (shown === undefined || !("body" in shown)) return undefined;
    return { csrf: session.csrf, regions: regionsIn(String(shown.body)) };
  };
  const on = new Set(query.text("on").split(" ").filter(Boolean).slice(0, maxWords));
  const since = Number(query.text("since")) || 0;
  deps.hub.join({ session, environment, api, page, on, since, render }, response);
}
