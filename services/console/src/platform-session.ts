import { hash } from "node:crypto";
import type { Environment } from "@heliograph/contracts";
import {
  callApi,
  downloadFrom,
  readApi,
  Refused,
  SignedOut,
  type Asked,
  type Link,
  type Read,
} from "./client.ts";
import type { Session, Sessions, Tokens, Who } from "./sessions.ts";

/** An access token that ends within so long is renewed before it is used. */
const marginMs = 30_000;
const device = { name: "Console", platform: "web" };

export type SignIn = {
  readonly email: string;
  readonly password: string;
  readonly totp: string;
};

/** Signs in, into the sandbox where the agent has it. Rejects with Refused. */
export async function signIn(
  link: Link,
  { email, password, totp }: SignIn,
): Promise<{ readonly environment: Environment; readonly tokens: Tokens; readonly who: Who }> {
  // One try is one call: the platform finds the world, so that a wrong password counts once.
  const body = { email, password, ...(totp !== "" && { totp }), device };
  const { environment, ...tokens } = await callApi<Tokens & { readonly environment: Environment }>(
    link,
    "POST",
    "/mobile/sessions",
    { body },
  );
  return { environment, tokens, who: await whoIs(link, tokens.access_token) };
}

const whoIs = (link: Link, token: string): Promise<Who> =>
  callApi<Who>(link, "GET", "/me", { token });

export type Api = {
  get<Body>(path: string, query?: Asked["query"], signal?: AbortSignal): Promise<Body>;
  /** With the version that a change of it names. */
  read<Body>(path: string): Promise<Read<Body>>;
  /** A file, which the page hands on. */
  download(path: string, query?: Asked["query"]): Promise<Response>;
  send<Body>(method: string, path: string, asked?: Asked): Promise<Body>;
};

/** Calls with the tokens of a session, renewed as they end. Methods reject with Refused, Unreachable or SignedOut. */
export function apiOf(link: Link, sessions: Sessions, begun: Session): Api {
  let session = begun;
  const { environment } = begun.data;
  const tokens = (): Tokens => {
    const found = session.data.tokens[environment];
    if (found === undefined) throw new SignedOut();
    return found;
  };
  const renew = async (): Promise<void> => {
    const { refresh_token: spent } = tokens();
    try {
      // Two tabs that renew at once make one call twice: the platform gives both the same answer.
      const renewed = await callApi<Tokens>(link, "POST", "/mobile/sessions/refresh", {
        body: { refresh_token: spent },
        key: hash("sha256", spent, "hex"),
      });
      const who = await whoIs(link, renewed.access_token);
      const data = { who, environment: session.data.environment };
      session = await sessions.change(session, {
        ...data,
        tokens: { ...session.data.tokens, [environment]: renewed },
      });
    } catch (error) {
      // Another request may have been faster: what it got is in the table.
      session = await sessions.change(session, session.data);
      if (session.data.tokens[environment]?.refresh_token !== spent) return;
      if (!(error instanceof Refused) || error.problem.status !== 401) throw error;
      // Ended by the platform: whoever looks with it, in whatever tab, is at the end too.
      await sessions.end(session);
      throw new SignedOut();
    }
  };
  const withToken = async <Value>(call: (token: string) => Promise<Value>): Promise<Value> => {
    const expiresAt = Date.parse(tokens().access_token_expires_at);
    if (expiresAt - marginMs < Date.now()) await renew();
    try {
      return await call(tokens().access_token);
    } catch (error) {
      if (!(error instanceof Refused) || error.problem.status !== 401) throw error;
      if (!["invalid_token", "session_revoked"].includes(error.problem.code)) throw error;
      await renew();
      return call(tokens().access_token);
    }
  };
  const send = <Body>(method: string, path: string, asked: Asked = {}): Promise<Body> =>
    withToken((token) => callApi<Body>(link, method, path, { ...asked, token }));
  return {
    send,
    get: (path, query, signal) =>
      send("GET", path, { ...(query && { query }), ...(signal && { signal }) }),
    read: (path) => withToken((token) => readApi(link, "GET", path, { token })),
    download: (path, query) =>
      withToken((token) =>
        downloadFrom(link, path, { token, ...(query !== undefined && { query }) }),
      ),
  };
}

/** The session, looking at the other environment. Rejects with Refused where the agent may not. */
export async function switchTo(
  api: Api,
  sessions: Sessions,
  session: Session,
  environment: Environment,
): Promise<void> {
  const { data } = session;
  const known = data.tokens[environment];
  const entered =
    known ?? (await api.send<Tokens>("POST", "/mobile/sessions/switch", { body: { environment } }));
  await sessions.change(session, {
    ...data,
    environment,
    tokens: { ...data.tokens, [environment]: entered },
  });
}

/** Ends the platform's sessions and ours. What does not answer ends by itself. */
export async function signOut(link: Link, sessions: Sessions, session: Session): Promise<void> {
  await sessions.end(session);
  await Promise.allSettled(
    Object.values(session.data.tokens).map(({ session_id, access_token: token }) =>
      callApi(link, "DELETE", `/mobile/sessions/${session_id}`, { token }),
    ),
  );
}
