import { fileURLToPath } from "node:url";
import { newId, streamOf } from "@heliograph/contracts";
import { spawnService } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPeople, password } from "./people.ts";

const entry = fileURLToPath(new URL("child.ts", import.meta.url));
let people: Awaited<ReturnType<typeof openPeople>>;
beforeAll(async () => {
  people = await openPeople();
});
afterAll(() => people.world.close());

type Request = {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly headers: Readonly<Record<string, string>>;
};

/** Sends a request to a process of its own that is killed at the failpoint. */
async function killedAt(
  failpoint: string,
  { method, path, body, headers }: Request,
): Promise<void> {
  const { world, dataDir } = people;
  const child = spawnService(entry, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_DATA_DIR: dataDir,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_PORT: "0",
    HELIOGRAPH_FAILPOINT: `${failpoint}:kill`,
  });
  const [, port] = await child.outputMatching(/listening on (\d+)/);
  await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body && { body: JSON.stringify(body) }),
  }).catch(() => undefined);
  const { signal } = await child.exited;
  if (signal !== "SIGKILL") throw new Error(`${failpoint} was not passed:\n${child.output()}`);
}

const send = ({ method, path, body, headers }: Request) =>
  people.world.call(method, `/api/v1${path}`, { headers, ...(body && { body }) });
/** Headers of a caller whose retries are recognised. */
const by = (key?: string): Record<string, string> => ({
  ...(key !== undefined && { authorization: `Bearer ${key}` }),
  "idempotency-key": newId("req"),
});
/** A claim outlives the process that held it by its lease. */
const expireLeases = () =>
  people.world.platform.contexts.sandbox.pool.query(
    "with a as (update ingress.idempotency set lease_until = now() where not done) update sessions.answers set until = now() where sealed is null",
  );

test.each(["agents.after_claim", "agents.after_password", "agents.after_created"])(
  "an agent whose making was killed at %s is made once by the retry, and can sign in",
  async (failpoint) => {
    const { key } = await people.world.addPartner();
    const email = `${newId("req")}@example.org`;
    const body = { name: "Ann", email, role: "owner", password };
    const request = { method: "POST", path: "/agents", body, headers: by(key) };
    await killedAt(failpoint, request);
    await expireLeases();
    expect((await send(request)).status).toBe(201);
    const list = await people.world.call("GET", "/api/v1/agents", { key });
    expect(list.body.data).toHaveLength(1);
    await people.signIn(email);
  },
  60_000,
);

test.each(["agents.after_claim", "agents.after_password", "agents.after_created"])(
  "one killed at %s is made by another request too, with its password where it was not made yet",
  async (failpoint) => {
    const { key } = await people.world.addPartner();
    const email = `${newId("req")}@example.org`;
    const body = { name: "Ann", email, role: "owner", password };
    const request = { method: "POST", path: "/agents", body, headers: by(key) };
    await killedAt(failpoint, request);
    expect((await send({ ...request, headers: by(key) })).status).toBe(201);
    await people.signIn(email);
  },
  60_000,
);

test("an invitation that was killed between the log and the password works again", async () => {
  const { key } = await people.world.addPartner();
  const ann = await people.add(key, { password: undefined });
  const [token] = await people.mailTo(ann.email);
  const body = { token, password };
  const request = { method: "POST", path: "/invitations/accept", body, headers: by() };
  await killedAt("agents.after_activated", request);
  expect((await people.trySignIn(ann.email)).status).toBe(401);
  await expireLeases();
  expect((await send(request)).status).toBe(200);
  await people.signIn(ann.email);
}, 60_000);

test.each(["agents.after_password_change", "agents.before_announce"])(
  "a password change that was killed at %s ends the other sessions all the same",
  async (failpoint) => {
    const { key } = await people.world.addPartner();
    const ann = await people.add(key);
    const [own, other] = [await people.signIn(ann.email), await people.signIn(ann.email)];
    const request = {
      method: "PUT",
      path: "/me/password",
      body: { current: password, new: "another password" },
      headers: by(own.access_token),
    };
    await killedAt(failpoint, request);
    await expect.poll(() => people.me(other.access_token), { timeout: 10_000 }).toBe(401);
    await expireLeases();
    expect((await send(request)).status).toBe(204);
    expect(await people.me(own.access_token)).toBe(200);
    expect((await people.trySignIn(ann.email)).status).toBe(401);
  },
  60_000,
);

test("a password reset that was killed before its event ends the sessions all the same", async () => {
  const { key } = await people.world.addPartner();
  const ann = await people.add(key);
  const signed = await people.signIn(ann.email);
  const asked = {
    method: "POST",
    path: "/password-resets",
    body: { email: ann.email },
    headers: by(),
  };
  await send(asked);
  const [token] = await people.mailTo(ann.email);
  const body = { token, password: "another password" };
  const path = "/password-resets/confirm";
  await killedAt("agents.after_reset", { method: "POST", path, body, headers: by() });
  await expect.poll(() => people.me(signed.access_token), { timeout: 10_000 }).toBe(401);
  await people.signIn(ann.email, { password: "another password" });
}, 60_000);

test.each(["agents.before_live", "agents.before_sandbox"])(
  "a disabling that was killed at %s is told to both environments, once, by the retry and by the next start",
  async (failpoint) => {
    const { world } = people;
    const { id } = await world.addPartner();
    const live = await world.addKey(id, { environment: "live" });
    const environments = ["live", "sandbox"] as const;
    const ann = await people.add(live, { environments, role: "agent" });
    const path = `/agents/${ann.id}/disable`;
    await killedAt(failpoint, { method: "POST", path, headers: by(live) });
    const told = async (): Promise<readonly number[]> =>
      Promise.all(
        environments.map(
          async (name) =>
            (await world.platform.contexts[name].log.readStream(streamOf("presence", ann.id)))
              .length,
        ),
      );
    expect(await told()).not.toEqual([1, 1]);
    await world.restart();
    await expect.poll(told, { timeout: 10_000 }).toEqual([1, 1]);
    expect((await send({ method: "POST", path, headers: by(live) })).status).toBe(200);
    expect(await told()).toEqual([1, 1]);
  },
  60_000,
);

test("a session whose end nobody was told of when the process was killed is told of, once", async () => {
  const { world } = people;
  const { key } = await world.addPartner();
  const ann = await people.add(key);
  const { access_token, session_id } = await people.signIn(ann.email);
  const path = `/mobile/sessions/${session_id}`;
  await killedAt("agents.before_session_ended", {
    method: "DELETE",
    path,
    headers: by(access_token),
  });
  await expect.poll(() => people.me(access_token), { timeout: 10_000 }).toBe(401);
  const told = async () =>
    (await world.platform.contexts.sandbox.log.readStream(streamOf("session", session_id))).map(
      ({ type, data }) => [type, (data as { reason?: string }).reason],
    );
  const once = [["SessionEnded", "signed out"]];
  await expect.poll(told, { timeout: 15_000 }).toEqual(once);
  await world.restart();
  await people.signIn(ann.email);
  expect(await told()).toEqual(once);
}, 60_000);
