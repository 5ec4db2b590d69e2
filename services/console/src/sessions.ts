import { hash, randomBytes } from "node:crypto";
import { openSecret, sealSecret, type Environment } from "@heliograph/contracts";
import type pg from "pg";
import {
  addFlash,
  addSession,
  changeSession,
  readSession,
  removeSession,
  standingSessions,
  takeFlash,
} from "./tables/sessions.ts";

/** What the platform gave for one environment. */
export type Tokens = {
  readonly session_id: string;
  readonly access_token: string;
  readonly access_token_expires_at: string;
  readonly refresh_token: string;
};

export type Who = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
  readonly environments: readonly Environment[];
  readonly partner: { readonly id: string; readonly name: string };
  readonly scopes: readonly string[];
};

export type SessionData = {
  readonly who: Who;
  /** The one that is looked at. */
  readonly environment: Environment;
  readonly tokens: Readonly<Partial<Record<Environment, Tokens>>>;
};

export type Session = {
  readonly sha256: Buffer;
  /** In every form: only the holder of the cookie can be shown it. */
  readonly csrf: string;
  readonly data: SessionData;
  /** As it stands in the table. */
  readonly sealed: string;
};

/** What is told once. */
export type Told = {
  readonly told?: string;
  /** Told with it, and never again: names and values to copy. */
  readonly secrets?: readonly (readonly [string, string])[];
};

export type Sessions = ReturnType<typeof openSessions>;

/** Sessions behind cookies. The table holds neither the cookie nor the platform's tokens as they are. */
export function openSessions(pool: pg.Pool, masterKey: Buffer) {
  // The row's own name is sealed with it, so that nobody who writes the table gives one session's tokens to another.
  const seal = (sha256: Buffer, data: SessionData): string =>
    sealSecret(masterKey, JSON.stringify({ of: sha256.toString("hex"), data }));
  const open = (sha256: Buffer, sealed: string): SessionData => {
    const { of, data } = JSON.parse(openSecret(masterKey, sealed)) as {
      of: string;
      data: SessionData;
    };
    if (of !== sha256.toString("hex")) throw new Error("a session is not that of its row");
    return data;
  };
  /** `used`: somebody asks, and not a page that comes back for its stream by itself. */
  const find = async (
    token: string,
    { used }: { readonly used: boolean },
  ): Promise<Session | undefined> => {
    const sha256 = hash("sha256", token, "buffer");
    const sealed = await readSession(pool, sha256, { used });
    if (sealed === undefined) return undefined;
    const csrf = hash("sha256", `form ${token}`, "base64url");
    return { sha256, csrf, sealed, data: open(sha256, sealed) };
  };
  return {
    find,
    /** A session under a token that nobody had before: 256 bits, whatever cookie came with the request. */
    async begin(data: SessionData): Promise<string> {
      const token = randomBytes(32).toString("base64url");
      const sha256 = hash("sha256", token, "buffer");
      await addSession(pool, sha256, seal(sha256, data));
      return token;
    },
    /** Gives the session as it is then: changed here, or by the request that was faster. */
    async change(session: Session, data: SessionData): Promise<Session> {
      const sealed = seal(session.sha256, data);
      if (await changeSession(pool, session.sha256, session.sealed, sealed))
        return { ...session, sealed, data };
      // A page that is kept up to date comes here too: that is no use of it.
      const now = await readSession(pool, session.sha256, { used: false });
      return now === undefined
        ? session
        : { ...session, sealed: now, data: open(session.sha256, now) };
    },
    /** Which of them have not ended, in hex. That somebody has a page open is no use of it: it ends where nobody sits there. */
    standing: (of: readonly Session[]): Promise<ReadonlySet<string>> =>
      standingSessions(
        pool,
        of.map(({ sha256 }) => sha256),
      ),
    end: (session: Session): Promise<void> => removeSession(pool, session.sha256),
    /** Keeps it sealed: a secret may be among what is told. */
    async tell(session: Session, told: Told): Promise<string> {
      const id = randomBytes(12).toString("base64url");
      await addFlash(pool, session.sha256, id, sealSecret(masterKey, JSON.stringify(told)));
      return id;
    },
    async hear(session: Session, id: string): Promise<Told | undefined> {
      const sealed = await takeFlash(pool, session.sha256, id);
      return sealed === undefined ? undefined : (JSON.parse(openSecret(masterKey, sealed)) as Told);
    },
  };
}
