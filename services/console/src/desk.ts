import { originOf, Router } from "@heliograph/api";
import { formOf, isOwnPost, readForm } from "@heliograph/html";
import type { Request, Response } from "express";
import { assets } from "./assets.ts";
import type { Arrival, Deps } from "./arrival.ts";
import { Refused, SignedOut, Unreachable } from "./client.ts";
import { redirect, sendAsset, sendFile, sendPage } from "./http/answer.ts";
import { clearCookie, sessionCookie } from "./http/cookie.ts";
import { ownPath } from "./own-path.ts";
import { base, type Led, type Page, type Shown, type Visit } from "./page.ts";
import { allPages } from "./pages/index.ts";
import { apiOf } from "./platform-session.ts";
import type { Session } from "./sessions.ts";
import { joinLive } from "./live/join.ts";
import { atTheDoor } from "./door.ts";
import { framed } from "./view/layout.ts";
import { foreignPage, notAForm, otherWorld, refusedPage, silentPage } from "./view/states.ts";

const nothing = formOf([]);
const livePath = `${base}/live`;
const reads = new Set(["GET", "HEAD"]);
/** A template's text, its variables and what stands around it. */
const maxFormBytes = 256 * 1024;
/** What a batch may hold; larger files go to the platform without a browser. */
const maxFileBytes = 5 * 1024 * 1024;

/** Answers every request below `/console`. Rejects only where our own machinery is broken. */
export function createDesk(deps: Deps): (request: Request, response: Response) => Promise<void> {
  const router = new Router<Page>();
  for (const page of allPages) router.add(page.method, base + page.path, page);
  return async (request, response) => {
    const { pathname: path, searchParams } = new URL(request.url, "http://console");
    // One address for a page.
    if (path.endsWith("/")) {
      const at = request.url.indexOf("?");
      return redirect(
        response,
        308,
        (path.replace(/\/+$/, "") || base) + (at < 0 ? "" : request.url.slice(at)),
      );
    }
    const asset = assets.get(path);
    if (asset !== undefined) return sendAsset(response, asset.type, asset.body);
    const token = sessionCookie(request);
    const used = path !== livePath;
    const session = token === undefined ? undefined : await deps.sessions.find(token, { used });
    const posted = reads.has(request.method) ? nothing : await formIn(request, session);
    if (typeof posted === "string")
      return sendPage(response, 400, notAForm(), { Connection: "close" });
    if (!reads.has(request.method) && !isOurs(deps, { request, path, form: posted, session }))
      return sendPage(response, 403, foreignPage());
    const link = { apiUrl: deps.apiUrl(), masterKey: deps.masterKey, ip: request.ip ?? "" };
    const arrival = {
      request,
      response,
      path,
      query: formOf(searchParams),
      form: posted,
      link,
      session,
    };
    if (path === livePath) return joinLive(deps, router, arrival, session);
    if (await atTheDoor(deps, arrival)) return;
    if (session === undefined) {
      const back = reads.has(request.method) ? `?${backTo(request)}` : "";
      return redirect(response, 303, `${base}/sign-in${back}`);
    }
    await answerPage(deps, router, arrival, session);
  };
}

/** What was asked for, to be shown after the sign-in. */
const backTo = ({ url }: Request): string => `to=${encodeURIComponent(url)}`;

/** Whoever is not signed in makes us keep no file. */
const formIn = (request: Request, session: Session | undefined): ReturnType<typeof readForm> =>
  readForm(request.headers["content-type"], request, {
    maxBytes: maxFormBytes,
    maxFileBytes: session === undefined ? undefined : maxFileBytes,
  });

function isOurs(
  { settings }: Deps,
  { request, path, form, session }: Pick<Arrival, "request" | "path" | "form" | "session">,
): boolean {
  return isOwnPost(request.headers as Parameters<typeof isOwnPost>[0], {
    origins: [originOf(request, settings)],
    token: form.has("csrf") ? form.exact("csrf") : undefined,
    // To sign in is no act of the session that is there: it ends that one.
    wanted: path === `${base}/sign-in` ? undefined : session?.csrf,
  });
}

async function answerPage(
  deps: Deps,
  router: Router<Page>,
  arrival: Arrival,
  session: Session,
): Promise<void> {
  const { request, response, path, query, form } = arrival;
  const match = router.match(request.method, path);
  const page = match.kind === "found" ? match.target : undefined;
  const { who, environment } = session.data;
  const at = Date.now();
  const show = async (what: Shown): Promise<void> => {
    const flash = query.text("told");
    const told = flash === "" ? undefined : await deps.sessions.hear(session, flash);
    const section = page?.section;
    const frame = { who, environment, csrf: session.csrf, section, told, at };
    sendPage(response, what.status ?? 200, framed(what, frame));
  };
  if (match.kind !== "found")
    return show(
      refusedPage({
        status: match.kind === "not_found" ? 404 : 405,
        code: "not_found",
        title: "There is no such page",
        detail: "The address leads nowhere in the console.",
      }),
    );
  const again = reads.has(request.method) ? ownPath(request.url) : undefined;
  // A form of a tab that still shows the other world does not act in this one.
  if (form.has("environment") && form.text("environment") !== environment)
    return show(otherWorld(environment));
  const visit: Visit = {
    who,
    environment,
    params: match.params,
    query,
    form,
    csrf: session.csrf,
    origin: originOf(request, deps.settings),
    api: apiOf(arrival.link, deps.sessions, session),
  };
  try {
    const outcome = await match.target.answer(visit);
    if ("body" in outcome) return await show(outcome);
    if ("file" in outcome) return await sendFile(response, outcome.file);
    await lead(deps, response, session, outcome);
  } catch (error) {
    if (error instanceof SignedOut) {
      await deps.sessions.end(session);
      deps.hub.leave(session);
      const back = reads.has(request.method) ? `&${backTo(request)}` : "";
      redirect(response, 303, `${base}/sign-in?ended=1${back}`, { "Set-Cookie": clearCookie });
    } else if (error instanceof Refused) await show(refusedPage(error.problem, again));
    else if (error instanceof Unreachable) await show(silentPage(again));
    else throw error;
  }
}

/** After a form: another address, so that a reload repeats nothing. */
async function lead(
  { sessions }: Deps,
  response: Response,
  session: Session,
  { to, told, secrets }: Led,
): Promise<void> {
  if (told === undefined) return redirect(response, 303, to);
  const id = await sessions.tell(session, { told, ...(secrets !== undefined && { secrets }) });
  redirect(response, 303, `${to}${to.includes("?") ? "&" : "?"}told=${id}`);
}
