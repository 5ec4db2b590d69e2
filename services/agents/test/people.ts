import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { service as control } from "@heliograph/control";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service } from "../src/index.ts";

export const password = "correct horse battery";
let number = 0;

export type Person = { readonly id: string; readonly email: string };
export type Signed = {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
};

/** A world with agents: its mail lies in `outbox`. */
export async function openPeople(env: Readonly<Record<string, string>> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "heliograph-agents-"));
  const world = await openWorld({
    services: [service, control],
    env: { HELIOGRAPH_DATA_DIR: dataDir, ...env },
  });
  return { world, dataDir, ...peopleOf(world), mailTo: (email: string) => mailTo(dataDir, email) };
}

export function peopleOf(world: World) {
  const add = async (key: string, more: object = {}): Promise<Person> => {
    const email = `person${++number}@example.org`;
    const body = { name: "Ann", email, role: "owner", password, ...more };
    const answer = await world.call("POST", "/api/v1/agents", { key, body });
    if (answer.status !== 201) throw new Error(answer.text);
    return { id: answer.body.id, email: answer.body.email };
  };
  const trySignIn = (email: string, more: object = {}, headers: Record<string, string> = {}) =>
    world.call("POST", "/api/v1/mobile/sessions", {
      body: {
        email,
        password,
        environment: "sandbox",
        device: { name: "phone", platform: "ios" },
        ...more,
      },
      headers,
    });
  const signIn = async (email: string, more: object = {}): Promise<Signed> => {
    const answer = await trySignIn(email, more);
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.body;
  };
  const refresh = (refresh_token: string, headers: Record<string, string> = {}) =>
    world.call("POST", "/api/v1/mobile/sessions/refresh", { body: { refresh_token }, headers });
  /** The status of a call by this token: 200 while it opens the API. */
  const me = async (key: string): Promise<number> =>
    (await world.call("GET", "/api/v1/me", { key })).status;
  return { add, trySignIn, signIn, refresh, me };
}

/** The tokens mailed to an address, oldest first; waits for the first. */
async function mailTo(dataDir: string, email: string): Promise<readonly string[]> {
  return until(() => {
    const found = mailsIn(dataDir)
      .filter(({ to }) => to === email)
      .toSorted((left, right) => (left.at < right.at ? -1 : 1))
      .map(({ text }) => /^Token: (\S+)$/m.exec(text)![1]!);
    return found.length > 0 && found;
  });
}

export function mailsIn(dataDir: string): readonly { to: string; text: string; at: string }[] {
  const folder = join(dataDir, "outbox");
  let names: readonly string[] = [];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
  return names.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
}
