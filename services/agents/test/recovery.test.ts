import { request } from "node:http";
import { hash } from "@node-rs/argon2";
import { until } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeOf, stepAt } from "../src/totp.ts";
import { mailsIn, openPeople, password } from "./people.ts";

let people: Awaited<ReturnType<typeof openPeople>>;
beforeAll(async () => {
  people = await openPeople();
});
afterAll(() => people.world.close());

const call = (method: string, path: string, key?: string, body?: object) =>
  people.world.call(method, `/api/v1${path}`, { ...(key && { key }), ...(body && { body }) });
const newPerson = async (more: object = {}) => {
  const { key } = await people.world.addPartner();
  return { key, ...(await people.add(key, more)) };
};

describe("an invitation", () => {
  test("lets its agent in once, with a password and a name of the agent's own", async () => {
    const ann = await newPerson({ password: undefined });
    const [token] = await people.mailTo(ann.email);
    expect((await people.trySignIn(ann.email)).status).toBe(401);
    const accept = (given: string) =>
      call("POST", "/invitations/accept", undefined, { token: given, name: "Anna", password });
    expect((await accept("x".repeat(43))).body.code).toBe("invalid_token");
    const answers = await Promise.all([accept(token!), accept(token!)]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401]);
    expect((await people.trySignIn(ann.email)).body.agent).toMatchObject({
      name: "Anna",
      status: "active",
    });
    expect((await accept(token!)).body.code).toBe("invalid_token");
  });

  test("is sent again to who is invited again, and the one before is void", async () => {
    const ann = await newPerson({ password: undefined });
    const [first] = await people.mailTo(ann.email);
    const body = { name: "Ann", email: ann.email, role: "owner" };
    expect((await call("POST", "/agents", ann.key, body)).body.id).toBe(ann.id);
    await expect.poll(async () => (await people.mailTo(ann.email)).length).toBe(2);
    const second = (await people.mailTo(ann.email)).find((token) => token !== first);
    const accept = (token: string) =>
      call("POST", "/invitations/accept", undefined, { token, password });
    expect((await accept(first!)).status).toBe(401);
    expect((await accept(second!)).status).toBe(200);
  });

  test("is sent again by its own call, a few times an hour, while it is open, by who may give the role", async () => {
    const ann = await newPerson({ password: undefined, role: "admin" });
    const again = (id = ann.id, key = ann.key, more: Record<string, string> = {}) =>
      people.world.call("POST", `/api/v1/agents/${id}/invitation`, { key, headers: more });
    const [first] = await people.mailTo(ann.email);
    const headers = { "idempotency-key": "once" };
    const sent = await again(ann.id, ann.key, headers);
    expect([sent.status, sent.body.status, sent.body.id]).toEqual([202, "invited", ann.id]);
    expect((await again(ann.id, ann.key, headers)).text).toBe(sent.text);
    await expect.poll(async () => (await people.mailTo(ann.email)).length).toBe(2);
    const second = (await people.mailTo(ann.email)).find((token) => token !== first)!;
    const accept = (token: string) =>
      call("POST", "/invitations/accept", undefined, { token, password });
    expect((await accept(first!)).body.code).toBe("invalid_token");

    expect([(await again()).status, (await again()).status]).toEqual([202, 202]);
    const much = await again();
    expect([much.status, much.body.code]).toEqual([429, "rate_limited"]);
    expect(Number(much.headers.get("retry-after"))).toBeGreaterThan(0);
    // By the other way too.
    const body = { name: "Ann", email: ann.email, role: "admin" };
    expect((await call("POST", "/agents", ann.key, body)).status).toBe(429);
    await expect.poll(async () => (await people.mailTo(ann.email)).length).toBe(4);
    expect((await accept(second)).body.code).toBe("invalid_token");

    const other = await people.world.addPartner();
    expect((await again(ann.id, other.key)).status).toBe(404);
    const low = await people.world.addKey(other.id, { scopes: ["agents:write"] });
    const owner = await people.add(other.key, { password: undefined, role: "owner" });
    expect((await again(owner.id, low)).body.code).toBe("insufficient_scope");
    const active = await people.add(other.key);
    expect((await again(active.id, other.key)).body.code).toBe("conflict");
    await call("POST", `/agents/${owner.id}/disable`, other.key);
    expect((await again(owner.id, other.key)).body.detail).toContain("shut out");
  });

  test("to an address of another partner is answered alike, and reaches nobody", async () => {
    const ann = await newPerson({ password: undefined });
    const other = await people.world.addPartner();
    const shadow = await people.add(other.key, { email: ann.email, password: undefined });
    expect(shadow.id).not.toBe(ann.id);
    const sent = await call("POST", `/agents/${shadow.id}/invitation`, other.key);
    expect([sent.status, sent.body.email]).toEqual([202, ann.email]);
    const own = await call("POST", `/agents/${ann.id}/invitation`, ann.key);
    expect(Object.keys(own.body)).toEqual(Object.keys(sent.body));
    await expect.poll(async () => (await people.mailTo(ann.email)).length).toBe(2);
    const { rows } = await people.world.platform.platformPool.query(
      "select count(*)::int as mails from credentials.mails",
    );
    expect(rows[0].mails).toBe(0);
    expect(await people.mailTo(ann.email)).toHaveLength(2);
  });

  test("of an agent who was disabled meanwhile is void, and no token stands readable anywhere", async () => {
    const ann = await newPerson({ password: undefined, role: "agent" });
    const [token] = await people.mailTo(ann.email);
    await call("POST", `/agents/${ann.id}/disable`, ann.key);
    const answer = await call("POST", "/invitations/accept", undefined, { token, password });
    expect([answer.status, answer.body.code]).toEqual([401, "invalid_token"]);
    const { rows } = await people.world.platform.platformPool.query(
      "select row_to_json(t)::text as text from credentials.tokens t union all select row_to_json(m)::text from credentials.mails m",
    );
    expect(rows.map(({ text }) => text).join()).not.toContain(token!);
  });
});

describe("a password", () => {
  test("Password change spares sessions: the other ones end, also one whose refresh is in flight", async () => {
    const ann = await newPerson();
    const [own, other, third] = [
      await people.signIn(ann.email),
      await people.signIn(ann.email),
      await people.signIn(ann.email),
    ];
    const change = (body: object) => call("PUT", "/me/password", own.access_token, body);
    expect((await change({ current: "wrong one", new: "another password" })).status).toBe(401);
    const [changed, refreshed] = await Promise.all([
      change({ current: password, new: "another password" }),
      people.refresh(third.refresh_token),
    ]);
    expect(changed.status).toBe(204);
    expect(await people.me(own.access_token)).toBe(200);
    expect(await people.me(other.access_token)).toBe(401);
    if (refreshed.status === 200) {
      expect(await people.me(refreshed.body.access_token)).toBe(401);
      expect((await people.refresh(refreshed.body.refresh_token)).status).toBe(401);
    }
    expect((await people.refresh(own.refresh_token)).status).toBe(200);
    expect((await people.trySignIn(ann.email)).status).toBe(401);
    expect((await people.trySignIn(ann.email, { password: "another password" })).status).toBe(201);
  });

  test("that was changed twice by one session spares it both times", async () => {
    const ann = await newPerson();
    const { access_token: key, refresh_token } = await people.signIn(ann.email);
    const words = [password, "second password", "third password"];
    for (let index = 0; index < 2; index++)
      await call("PUT", "/me/password", key, { current: words[index], new: words[index + 1] });
    expect(await people.me(key)).toBe(200);
    expect((await people.refresh(refresh_token)).status).toBe(200);
  });

  test("is reset by mail, once; every session ends; strangers' addresses are answered alike", async () => {
    const ann = await newPerson();
    const signed = await people.signIn(ann.email);
    const ask = (email: string) =>
      call("POST", "/password-resets", undefined, { email, idempotency_key: "forgot" });
    const [known, unknown] = [await ask(ann.email.toUpperCase()), await ask("nobody@example.org")];
    expect([known.status, known.text]).toEqual([unknown.status, unknown.text]);
    const again = await ask(ann.email);
    const marks = [known, unknown, again].map(({ headers }) => headers.get("idempotent-replayed"));
    expect(marks).toEqual([null, null, "true"]);
    const [token, ...more] = await people.mailTo(ann.email);
    expect(more).toEqual([]);
    const confirm = () =>
      call("POST", "/password-resets/confirm", undefined, { token, password: "a new password" });
    expect((await confirm()).status).toBe(204);
    expect((await confirm()).body.code).toBe("invalid_token");
    expect(await people.me(signed.access_token)).toBe(401);
    expect((await people.trySignIn(ann.email, { password: "a new password" })).status).toBe(201);
  });

  test("under older parameters is hashed anew when it is right", async () => {
    const ann = await newPerson();
    const { platformPool: pool } = people.world.platform;

    const old = await hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 });
    await pool.query("update credentials.agents set password = $2 where agent_id = $1", [
      ann.id,
      old,
    ]);
    await people.signIn(ann.email);
    const { rows } = await pool.query(
      "select password from credentials.agents where agent_id = $1",
      [ann.id],
    );
    expect(rows[0].password).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    await people.signIn(ann.email);
  });
});

/** What an app does with the address. */
const appOf = (uri: string) => {
  const text = new URL(uri).searchParams.get("secret")!;
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = Array.from(text)
    .map((char) => alphabet.indexOf(char).toString(2).padStart(5, "0"))
    .join("");
  const secret = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
  return (offset = 0): string => codeOf(secret, stepAt(Date.now()) + offset);
};

async function withCodes() {
  const ann = await newPerson();
  const { access_token } = await people.signIn(ann.email);
  const offered = await call("POST", "/me/totp", access_token);
  const app = appOf(offered.body.uri);
  return { ...ann, access_token, app, recovery: offered.body.recovery_codes as string[] };
}

describe("codes", () => {
  test("TOTP works twice: the set-up code is not the first code, one code signs in once, also at two doors at once", async () => {
    const ann = await withCodes();
    // Not in use before it is confirmed.
    expect((await people.trySignIn(ann.email)).status).toBe(201);
    const wrongCode = await call("POST", "/me/totp/confirm", ann.access_token, { totp: "000000" });
    expect(wrongCode.status).toBe(401);
    const setUp = ann.app(-1);
    const confirm = await call("POST", "/me/totp/confirm", ann.access_token, { totp: setUp });
    expect(confirm.status).toBe(204);
    const wanted = await people.trySignIn(ann.email);
    expect([wanted.status, wanted.body.code]).toEqual([401, "totp_required"]);
    const wrongPassword = await people.trySignIn(ann.email, { password: "wrong one" });
    expect(wrongPassword.body.code).toBe("invalid_credentials");
    expect((await people.trySignIn(ann.email, { totp: setUp })).status).toBe(401);
    const totp = ann.app();
    const answers = await Promise.all([
      people.trySignIn(ann.email, { totp }),
      people.trySignIn(ann.email, { totp }),
    ]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 401]);
    // The code of the step before is within the drift, and behind what was accepted.
    expect((await people.trySignIn(ann.email, { totp: ann.app(-1) })).status).toBe(401);
  });

  test("of recovery work once each, however they are typed", async () => {
    const ann = await withCodes();
    await call("POST", "/me/totp/confirm", ann.access_token, { totp: ann.app() });
    expect(ann.recovery).toHaveLength(10);
    const totp = ann.recovery[0]!;
    expect(
      (await people.trySignIn(ann.email, { totp: totp.toLowerCase().replaceAll("-", " ") })).status,
    ).toBe(201);
    expect((await people.trySignIn(ann.email, { totp })).status).toBe(401);
    const both = await Promise.all(
      [1, 2].map(() => people.trySignIn(ann.email, { totp: ann.recovery[1] })),
    );
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 401]);
    expect((await call("GET", "/me", ann.access_token)).body.totp).toBe(true);
  });

  test("that are set up are changed only with one of them, and stand sealed", async () => {
    const ann = await withCodes();
    await call("POST", "/me/totp/confirm", ann.access_token, { totp: ann.app() });
    expect((await call("POST", "/me/totp", ann.access_token)).status).toBe(409);
    const again = await call("POST", "/me/totp", ann.access_token, { totp: ann.recovery[3] });
    expect(again.status).toBe(200);
    const { rows } = await people.world.platform.platformPool.query(
      "select totp, totp_pending, recovery from credentials.agents where agent_id = $1",
      [ann.id],
    );
    expect(rows[0].totp_pending).toMatch(/^v1\./);
    expect(rows[0].recovery.join()).not.toContain(ann.recovery[0]!);
    const app = appOf(again.body.uri);
    expect((await call("POST", "/me/totp/confirm", ann.access_token, { totp: app() })).status).toBe(
      204,
    );
  });
});

describe("codes are turned off", () => {
  const setUp = async () => {
    const ann = await withCodes();
    const confirmed = await call("POST", "/me/totp/confirm", ann.access_token, { totp: ann.app() });
    expect(confirmed.status).toBe(204);
    return ann;
  };

  test("by the agent, with the password and a code; one of them is not enough, and a used one does not count", async () => {
    const ann = await setUp();
    const off = async (body: object) => {
      const { status, body: answer } = await call("DELETE", "/me/totp", ann.access_token, body);
      return [status, answer?.code];
    };
    const totp = ann.recovery[0]!;
    expect(await off({ password })).toEqual([401, "totp_required"]);
    expect(await off({ password, totp: "000000" })).toEqual([401, "invalid_credentials"]);
    expect(await off({ password: "a wrong one", totp })).toEqual([401, "invalid_credentials"]);
    expect((await people.trySignIn(ann.email)).body.code).toBe("totp_required");
    // A wrong password has used no code up.
    expect(await off({ password, totp })).toEqual([204, undefined]);
    expect((await people.trySignIn(ann.email)).status).toBe(201);
    expect((await call("GET", "/me", ann.access_token)).body.totp).toBe(false);
    expect(await off({ password })).toEqual([204, undefined]);
  });

  test("by an admin, for whoever has lost the app; the agent's sessions end, and the audit tells who did it", async () => {
    const { key } = await people.world.addPartner();
    const lost = await people.add(key, { role: "agent" });
    const { access_token } = await people.signIn(lost.email);
    const offered = await call("POST", "/me/totp", access_token);
    await call("POST", "/me/totp/confirm", access_token, { totp: appOf(offered.body.uri)() });
    const admin = await people.add(key, { role: "admin" });
    const session = await people.signIn(admin.email);
    const reset = (id: string, bearer: string) => call("DELETE", `/agents/${id}/totp`, bearer);
    // The own ones, an owner's, a stranger's.
    expect((await reset(admin.id, session.access_token)).status).toBe(409);
    const owner = await people.add(key, { role: "owner" });
    expect((await reset(owner.id, session.access_token)).status).toBe(403);
    expect((await reset(lost.id, (await people.world.addPartner()).key)).status).toBe(404);
    expect(await people.me(access_token)).toBe(200);

    expect((await reset(lost.id, session.access_token)).status).toBe(204);
    expect(await people.me(access_token)).toBe(401);
    const again = await people.signIn(lost.email);
    // Nothing is set up any more: nothing ends.
    expect((await reset(lost.id, session.access_token)).status).toBe(204);
    expect(await people.me(again.access_token)).toBe(200);
    await until(async () => {
      const { rows } = await people.world.platform.contexts.sandbox.pool.query(
        "select action, target, outcome from control.audit where actor = $1 order by id",
        [admin.id],
      );
      return (
        rows.filter(
          ({ action, target, outcome }) =>
            action === "DELETE /agents/:id/totp" && target.includes(lost.id) && outcome === 204,
        ).length === 2
      );
    });
  });
});

test("the answer that holds the secret of codes is kept for a minute, sealed, and not with the others", async () => {
  const ann = await newPerson();
  const { access_token: key } = await people.signIn(ann.email);
  const options = { key, body: {}, headers: { "idempotency-key": "totp" } };
  const first = await people.world.call("POST", "/api/v1/me/totp", options);
  const again = await people.world.call("POST", "/api/v1/me/totp", options);
  expect([first.status, again.text]).toEqual([200, first.text]);
  const { pool } = people.world.platform.contexts.sandbox;
  const kept = await pool.query(
    "select sealed, until - now() < interval '61 seconds' as short from sessions.answers where scope like 'totp %'",
  );
  expect(kept.rows).toMatchObject([{ short: true }]);
  expect(kept.rows[0].sealed).not.toContain(first.body.secret);
  const others = await pool.query("select from ingress.idempotency where key like '% totp'");
  expect(others.rowCount).toBe(0);
});

test("keys of two sessions' calls are not compared with each other", async () => {
  const { key } = await people.world.addPartner();
  for (const next of ["first new password", "second new password"]) {
    const ann = await people.add(key);
    const { access_token } = await people.signIn(ann.email);
    const answer = await people.world.call("PUT", "/api/v1/me/password", {
      key: access_token,
      body: { current: password, new: next },
      headers: { "idempotency-key": "1" },
    });
    expect(answer.status).toBe(204);
  }
});

test("codes are those of RFC 6238 and RFC 4226", () => {
  const secret = Buffer.from("12345678901234567890");
  const vectors: readonly (readonly [second: number, code: string])[] = [
    [59, "287082"],
    [1_111_111_109, "081804"],
    [1_111_111_111, "050471"],
    [1_234_567_890, "005924"],
    [2_000_000_000, "279037"],
    [20_000_000_000, "353130"],
  ];
  for (const [second, code] of vectors) expect(codeOf(secret, stepAt(second * 1_000))).toBe(code);
  const counts = ["755224", "287082", "359152", "969429", "338314"];
  for (const [step, code] of counts.entries()) expect(codeOf(secret, step)).toBe(code);
});

test("a link that is mailed leads to the platform, whatever Host it was asked at", async () => {
  const { email } = await newPerson();
  const body = JSON.stringify({ email });
  const status = await new Promise((resolve, reject) => {
    const asked = request({
      port: people.world.port,
      method: "POST",
      path: "/api/v1/password-resets",
      headers: { host: "evil.example", "content-type": "application/json" },
    });
    asked.on("response", (answer) => resolve(answer.resume().statusCode));
    asked.on("error", reject).end(body);
  });
  expect(status).toBe(202);
  await people.mailTo(email);
  const mails = mailsIn(people.dataDir).filter(({ to }) => to === email);
  expect(mails.map(({ text }) => text).join()).toContain("http://localhost:");
  expect(JSON.stringify(mails)).not.toContain("evil.example");
});
