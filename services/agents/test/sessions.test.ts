import { newId, parseToken } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPeople, password } from "./people.ts";

let people: Awaited<ReturnType<typeof openPeople>>;
beforeAll(async () => {
  people = await openPeople();
});
afterAll(() => people.world.close());

const newPerson = async (more: object = {}) => {
  const partner = await people.world.addPartner();
  return { ...(await people.add(partner.key, more)), partner };
};

describe("a sign-in", () => {
  test("gives a bearer of the whole surface with the role's scopes, for a short time", async () => {
    const { world, trySignIn } = people;
    const ann = await newPerson();
    const { status, body } = await trySignIn(ann.email.toUpperCase());
    expect(status).toBe(201);
    expect(parseToken("access", body.access_token)).toBe("sandbox");
    expect(body.access_token).toMatch(/^as_test_/);
    expect(body.agent).toMatchObject({ id: ann.id, email: ann.email, role: "owner" });
    const lifeMs = Date.parse(body.access_token_expires_at) - Date.now();
    expect(lifeMs).toBeLessThanOrEqual(15 * 60_000);
    const me = await world.call("GET", "/api/v1/me", { key: body.access_token });
    expect(me.body).toMatchObject({
      id: ann.id,
      environment: "sandbox",
      session_id: body.session_id,
      partner: { id: ann.partner.id },
      scopes: ["*"],
      totp: false,
    });
    const list = await world.call("GET", "/api/v1/agents", { key: body.access_token });
    expect(list.body.data).toHaveLength(1);
    expect(list.headers.get("ratelimit")).toContain("r=");
  });

  test("is refused alike for a wrong password, an unknown address, the other environment and an invited agent", async () => {
    const { trySignIn, add } = people;
    const ann = await newPerson();
    const invited = await add(ann.partner.key, { password: undefined });
    for (const [email, more] of [
      [ann.email, { password: "wrong password" }],
      ["nobody@example.org", {}],
      [ann.email, { environment: "live" }],
      [invited.email, {}],
    ] as const) {
      const { status, body } = await trySignIn(email, more);
      expect([status, body.code, body.detail]).toEqual([
        401,
        "invalid_credentials",
        "The address, the password or the code is wrong.",
      ]);
    }
  });

  test("that names no environment begins where nothing costs anything, if the agent has that", async () => {
    const { trySignIn, world } = people;
    const both = await newPerson();
    const first = await trySignIn(both.email, { environment: undefined });
    expect([first.status, first.body.environment]).toEqual([201, "sandbox"]);
    const liveKey = await world.addKey(both.partner.id, { environment: "live" });
    const away = await people.add(liveKey, { environments: ["live"] });
    const second = await trySignIn(away.email, { environment: undefined });
    expect([second.status, second.body.environment]).toEqual([201, "live"]);
    expect(parseToken("access", second.body.access_token)).toBe("live");
    const wrong = await trySignIn(away.email, {
      environment: undefined,
      password: "wrong password",
    });
    expect([wrong.status, wrong.body.code]).toEqual([401, "invalid_credentials"]);
  });

  test("repeated with its key within a minute gets the first answer, sealed where it is kept", async () => {
    const { world, trySignIn } = people;
    const ann = await newPerson();
    const headers = { "idempotency-key": newId("req") };
    const first = await trySignIn(ann.email, {}, headers);
    const again = await trySignIn(ann.email, {}, headers);
    expect(again.text).toBe(first.text);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    const other = await trySignIn(ann.email, { password: "another one" }, headers);
    expect([other.status, other.body.code]).toEqual([422, "idempotency_key_reused"]);
    const { rows } = await world.platform.contexts.sandbox.pool.query(
      "select sealed, until - now() < interval '61 seconds' as short from sessions.answers",
    );
    expect(rows).not.toHaveLength(0);
    for (const { sealed, short } of rows) {
      expect(short).toBe(true);
      expect(sealed).not.toContain(first.body.access_token);
    }
  });

  test("unknown fields and a missing device are refused", async () => {
    for (const more of [{ device: undefined }, { environment: "prod" }, { extra: 1 }])
      expect((await people.trySignIn("a@example.org", more)).status).toBe(422);
  });
});

describe("a refresh", () => {
  test("gives two new tokens and ends the old ones", async () => {
    const { signIn, refresh, me } = people;
    const ann = await newPerson();
    const first = await signIn(ann.email);
    const { status, body } = await refresh(first.refresh_token);
    expect(status).toBe(200);
    expect(body.session_id).toBe(first.session_id);
    expect(await me(body.access_token)).toBe(200);
    expect(await me(first.access_token)).toBe(401);
  });

  test("with a token that was used ends the whole session: there are two holders", async () => {
    const { signIn, refresh, me } = people;
    const ann = await newPerson();
    const first = await signIn(ann.email);
    const second = (await refresh(first.refresh_token)).body;
    const stolen = await refresh(first.refresh_token);
    expect([stolen.status, stolen.body.code]).toEqual([401, "session_revoked"]);
    const after = await refresh(second.refresh_token);
    expect([after.status, after.body.code]).toEqual([401, "session_revoked"]);
    await expect.poll(() => me(second.access_token), { timeout: 1_000 }).toBe(401);
  });

  test("Rotation race: of two refreshes with one token at once never two live successors come", async () => {
    const { signIn, refresh, me } = people;
    const ann = await newPerson();
    for (let round = 0; round < 5; round++) {
      const { refresh_token } = await signIn(ann.email);
      const answers = await Promise.all([refresh(refresh_token), refresh(refresh_token)]);
      const given = answers.filter(({ status }) => status === 200);
      expect(given.length).toBeLessThanOrEqual(1);
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401]);
      await expect.poll(() => me(given[0]!.body.access_token), { timeout: 1_000 }).toBe(401);
    }
  });

  test("Rotation race: a retry with the same Idempotency-Key, even at once, gets the first answer and no revocation", async () => {
    const { world, signIn, refresh, me } = people;
    const ann = await newPerson();
    const { refresh_token } = await signIn(ann.email);
    const headers = { "idempotency-key": "same-for-every-device" };
    const answers = await Promise.all([1, 2, 3].map(() => refresh(refresh_token, headers)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await me(answers[0]!.body.access_token)).toBe(200);
    // Another device uses the same key for its own session.
    const other = await signIn(ann.email);
    const theirs = await refresh(other.refresh_token, headers);
    expect(theirs.body.session_id).toBe(other.session_id);
    const { rows } = await world.platform.contexts.sandbox.pool.query(
      "select row_to_json(s)::text as text from sessions.sessions s union all select row_to_json(a)::text from sessions.answers a",
    );
    const stored = rows.map(({ text }) => text).join();
    expect(stored).not.toContain(theirs.body.access_token);
    expect(stored).not.toContain(theirs.body.refresh_token);
  });

  test("of what is no refresh token is refused", async () => {
    const { signIn, refresh } = people;
    const ann = await newPerson();
    const { access_token } = await signIn(ann.email);
    for (const token of ["nonsense", access_token, "ar_test_000000000000000000000000000000000000"])
      expect((await refresh(token)).body.code).toBe("session_revoked");
  });
});

describe("sessions", () => {
  test("are listed, and one that is deleted is refused within a second, as is one of another agent not found", async () => {
    const { world, signIn, me } = people;
    const ann = await newPerson();
    const [phone, tablet] = [await signIn(ann.email), await signIn(ann.email)];
    const list = await world.call("GET", "/api/v1/mobile/sessions", { key: phone.access_token });
    expect(list.body.data).toMatchObject([
      { id: phone.session_id, current: true, device: { name: "phone", platform: "ios" } },
      { id: tablet.session_id, current: false },
    ]);
    const bob = await newPerson();
    const bobs = await signIn(bob.email);
    const remove = (key: string) =>
      world.call("DELETE", `/api/v1/mobile/sessions/${tablet.session_id}`, { key });
    expect((await remove(bobs.access_token)).status).toBe(404);
    expect(await me(tablet.access_token)).toBe(200);
    expect((await remove(phone.access_token)).status).toBe(204);
    expect(await me(tablet.access_token)).toBe(401);
    expect(await me(phone.access_token)).toBe(200);
  });

  test("are a person's: an API key has none", async () => {
    const { key } = await people.world.addPartner();
    for (const path of ["/me", "/mobile/sessions"])
      expect((await people.world.call("GET", `/api/v1${path}`, { key })).status).toBe(403);
  });

  test("switch to the other environment where the agent has access, and end when the first one would", async () => {
    const { world, add, signIn, me } = people;
    const partner = await world.addPartner();
    const live = await world.addKey(partner.id, { environment: "live" });
    const both = await add(live, { environments: ["live", "sandbox"] });
    const first = await signIn(both.email);
    const turn = (key: string, environment: string) =>
      world.call("POST", "/api/v1/mobile/sessions/switch", { key, body: { environment } });
    const { status, body } = await turn(first.access_token, "live");
    expect(status).toBe(201);
    expect(body.access_token).toMatch(/^as_live_/);
    expect(body.session_id).not.toBe(first.session_id);
    expect(await me(body.access_token)).toBe(200);
    expect(await me(first.access_token)).toBe(200);
    const sandboxOnly = await add(partner.key);
    const own = await signIn(sandboxOnly.email);
    expect((await turn(own.access_token, "live")).status).toBe(403);
  });

  test("say what they do in the audit as the agent, from the tries to sign in on", async () => {
    const { world, signIn, trySignIn } = people;
    const ann = await newPerson();
    await trySignIn(ann.email, { password: "wrong password" });
    await trySignIn("nobody.audited@example.org");
    const { access_token: key, refresh_token } = await signIn(ann.email);
    await world.call("POST", "/api/v1/teams", { key, body: { name: "" } });
    await people.refresh(refresh_token);
    await people.refresh(refresh_token);
    const rows = await until(async () => {
      const { pool } = world.platform.contexts.sandbox;
      const found = await pool.query<{ action: string; outcome: number }>(
        "select action, outcome from control.audit where actor = $1 order by id",
        [ann.id],
      );
      return found.rows.length === 5 && found.rows;
    });
    expect(rows.map(({ action, outcome }) => [action, outcome])).toEqual([
      ["POST /mobile/sessions", 401],
      ["POST /mobile/sessions", 201],
      ["POST /teams", 422],
      ["POST /mobile/sessions/refresh", 200],
      ["POST /mobile/sessions/refresh", 401],
    ]);
  });

  test("issue keys that last longer than the session, and no wider than the role", async () => {
    const { world, signIn } = people;
    const partner = await world.addPartner();
    const ann = await people.add(partner.key, { role: "admin" });
    const { access_token: key } = await signIn(ann.email);
    const issue = (body: object) => world.call("POST", "/api/v1/keys", { key, body });
    const issued = await issue({ name: "ours", scopes: ["agents:read"] });
    expect([issued.status, issued.body.expires_at ?? null]).toEqual([201, null]);
    expect((await issue({ name: "wide", scopes: ["*"] })).status).toBe(403);
  });

  test("share the partner's limit", async () => {
    const { world, signIn } = people;
    const partner = await world.addPartner({ rateLimit: { requests: 20, window_seconds: 3_600 } });
    const ann = await people.add(partner.key);
    const { access_token: key } = await signIn(ann.email);
    const left = async (token: string): Promise<number> => {
      const { headers } = await world.call("GET", "/api/v1/agents", { key: token });
      return Number(/r=(\d+)/.exec(headers.get("ratelimit") ?? "")![1]);
    };
    const before = await left(partner.key);
    expect(await left(key)).toBe(before - 1);
  });
});

test("Time and lockout tell: an unknown address takes as long as a wrong password", async () => {
  const { trySignIn } = people;
  const ann = await newPerson();
  const timed = async (email: string): Promise<number> => {
    const started = performance.now();
    await trySignIn(email, { password: "wrong password" });
    return performance.now() - started;
  };
  const [known, unknown]: [number[], number[]] = [[], []];
  for (let round = 0; round < 9; round++) {
    known.push(await timed(ann.email));
    unknown.push(await timed(`nobody${round}@example.org`));
  }
  // The quickest of each: whatever else the machine does only adds to it.
  const ratio = Math.min(...unknown) / Math.min(...known);
  // Without the dummy hash it is a fifth.
  expect(ratio).toBeGreaterThan(0.6);
  expect(ratio).toBeLessThan(1.6);
});

test("five wrong tries from her own place lock nobody out", async () => {
  const { trySignIn } = people;
  const ann = await newPerson();
  for (let round = 0; round < 5; round++) await trySignIn(ann.email, { password: "mistyped" });
  expect((await trySignIn(ann.email, { password })).status).toBe(201);
});
