import { isEnvironment } from "./environment.ts";
import { Refused, Unreachable } from "./client.ts";
import type { Arrival, Deps } from "./arrival.ts";
import { redirect, sendPage } from "./http/answer.ts";
import { clearCookie, setCookie } from "./http/cookie.ts";
import { ownPath } from "./own-path.ts";
import { base } from "./page.ts";
import { apiOf, signIn, signOut, switchTo } from "./platform-session.ts";
import { refusedAlone, signInPage, silentAlone } from "./view/states.ts";

/** Coming, going and changing worlds. Gives whether that was it. */
export async function atTheDoor(deps: Deps, arrival: Arrival): Promise<boolean> {
  const { request, response, path, query, session } = arrival;
  const method = request.method === "HEAD" ? "GET" : request.method;
  switch (`${method} ${path}`) {
    case `GET ${base}`:
      // The address that is handed around answers by itself, whoever comes.
      if (session !== undefined) return false;
      sendPage(response, 200, signInPage({ to: ownPath(request.url) }));
      return true;
    case `GET ${base}/sign-in`:
      if (session !== undefined) redirect(response, 303, ownPath(query.text("to")));
      else
        sendPage(
          response,
          200,
          signInPage({ to: ownPath(query.text("to")), ended: query.has("ended") }),
        );
      return true;
    case `POST ${base}/sign-in`:
      await enter(deps, arrival);
      return true;
    case `POST ${base}/sign-out`:
      if (session !== undefined) {
        deps.hub.leave(session);
        await signOut(arrival.link, deps.sessions, session);
      }
      redirect(response, 303, `${base}/sign-in`, { "Set-Cookie": clearCookie });
      return true;
    case `POST ${base}/environment`:
      await change(deps, arrival);
      return true;
    default:
      return false;
  }
}

async function enter(
  { sessions, hub }: Deps,
  { response, link, form, session }: Arrival,
): Promise<void> {
  const to = ownPath(form.text("to"));
  const email = form.text("email");
  try {
    const entered = await signIn(link, {
      email,
      password: form.exact("password"),
      totp: form.text("totp").replaceAll(" ", ""),
    });
    if (session !== undefined) {
      hub.leave(session);
      await signOut(link, sessions, session);
    }
    const { who, environment, tokens } = entered;
    const token = await sessions.begin({ who, environment, tokens: { [environment]: tokens } });
    redirect(response, 303, to, { "Set-Cookie": setCookie(token) });
  } catch (error) {
    if (error instanceof Unreachable) return sendPage(response, 502, silentAlone());
    if (!(error instanceof Refused)) throw error;
    const { problem } = error;
    sendPage(response, problem.status, signInPage({ to, email, problem }));
  }
}

async function change(deps: Deps, { response, link, form, session }: Arrival): Promise<void> {
  if (session === undefined) return redirect(response, 303, `${base}/sign-in`);
  const environment = form.text("environment");
  try {
    if (isEnvironment(environment))
      await switchTo(apiOf(link, deps.sessions, session), deps.sessions, session, environment);
    redirect(response, 303, ownPath(form.text("back")));
  } catch (error) {
    if (error instanceof Unreachable) return sendPage(response, 502, silentAlone());
    if (!(error instanceof Refused)) throw error;
    sendPage(response, error.problem.status, refusedAlone(error.problem));
  }
}
