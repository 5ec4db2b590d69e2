import { newId, streamOf } from "@heliograph/contracts";
import { operator } from "@heliograph/platform";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mailsIn, openPeople, password } from "./people.ts";

let people: Awaited<ReturnType<typeof openPeople>>;
beforeAll(async () => {
  people = await openPeople();
});
afterAll(() => people.world.close());

const call = (method: string, path: string, key: string, body?: object, headers = {}) =>
  people.world.call(method, `/api/v1${path}`, { key, ...(body && { body }), headers });
const bothKeys = async () => {
  const partner = await people.world.addPartner();
  return { ...partner, live: await people.world.addKey(partner.id, { environment: "live" }) };
};

describe("an agent", () => {
  test("is made with what is asked for, listed, read with a tag, and changed where the tag still matches", async () => {
    const { key } = await people.world.addPartner();
    const email = "Ann.Lee@Example.org";
    const asked = { name: "Ann", email, role: "agent", capacity: 3, skills: ["billing"], password };
    const made = await call("POST", "/agents", key, asked);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: "Ann",
      email: "Ann.Lee@example.org",
      role: "agent",
      capacity: 3,
      skills: ["billing"],
      languages: [],
      environments: ["sandbox"],
      status: "active",
    });
    const path = `/agents/${made.body.id}`;
    const read = await call("GET", path, key);
    const etag = read.headers.get("etag")!;
    expect((await call("GET", path, key, undefined, { "if-none-match": etag })).status).toBe(304);
    const changed = await call(
      "PATCH",
      path,
      key,
      { skills: null, name: "Anna" },
      { "if-match": etag },
    );
    expect(changed.body).toMatchObject({ name: "Anna", skills: [], capacity: 3 });
    const late = await call("PATCH", path, key, { name: "Late" }, { "if-match": etag });
    expect([late.status, late.body.code]).toEqual([412, "precondition_failed"]);
    const list = await call("GET", "/agents?role=agent&status=active", key);
    expect(list.body.data).toMatchObject([{ id: made.body.id, name: "Anna" }]);
    expect((await call("GET", "/agents?role=viewer", key)).body.data).toEqual([]);
  });

  test.each([
    [{ email: "no address" }],
    [{ role: "boss" }],
    [{ password: "short" }],
    [{ capacity: -1 }],
    [{ environments: [] }],
    [{ environments: ["sandbox", "sandbox"] }],
    [{ skills: ["a", "a"] }],
    [{ partner_id: "ptn_x" }],
    [{ name: "" }],
  ])("with %j is refused, and nothing is made", async (more) => {
    const { key } = await people.world.addPartner();
    const body = { name: "A", email: "a1@example.org", role: "agent", ...more };
    expect((await call("POST", "/agents", key, body)).status).toBe(422);
    expect((await call("GET", "/agents", key)).body.data).toEqual([]);
  });

  test("of another partner or environment is not found", async () => {
    const { key, live } = await bothKeys();
    const ours = await people.add(live);
    const other = await people.world.addPartner();
    for (const stranger of [key, other.key])
      for (const [method, path, body] of [
        ["GET", "", undefined],
        ["PATCH", "", { name: "X" }],
        ["POST", "/disable", undefined],
      ] as const)
        expect((await call(method, `/agents/${ours.id}${path}`, stranger, body)).status).toBe(404);
    expect((await call("GET", "/agents", key)).body.data).toEqual([]);
  });

  test("of live is neither made nor changed by a sandbox key", async () => {
    const { key, live } = await bothKeys();
    const body = { name: "A", email: "sb@example.org", role: "agent", environments: ["live"] };
    expect((await call("POST", "/agents", key, body)).status).toBe(403);
    const both = await people.add(live, { environments: ["live", "sandbox"] });
    expect((await call("GET", `/agents/${both.id}`, key)).status).toBe(200);
    for (const patch of [{ role: "viewer" }, { environments: ["sandbox"] }])
      expect((await call("PATCH", `/agents/${both.id}`, key, patch)).status).toBe(403);
    expect((await call("POST", `/agents/${both.id}/disable`, key)).status).toBe(403);
    const own = await people.add(key);
    const wider = await call("PATCH", `/agents/${own.id}`, key, { environments: ["live"] });
    expect(wider.status).toBe(403);
  });

  test("is the same for the same idempotency key, with one event", async () => {
    const { key } = await people.world.addPartner();
    const headers = { "idempotency-key": newId("req") };
    const body = { name: "A", email: "idem@example.org", role: "agent", password };
    const first = await call("POST", "/agents", key, body, headers);
    expect((await call("POST", "/agents", key, body, headers)).text).toBe(first.text);
    const stored = await people.world.platform.platformLog.readStream(
      streamOf("agent", first.body.id),
    );
    expect(stored).toHaveLength(1);
    expect(JSON.stringify(stored.map(({ data }) => data))).not.toContain("argon2");

    // A day later: its answer is dropped.
    for (const { pool } of Object.values(people.world.platform.contexts))
      await pool.query("delete from ingress.idempotency");
    const another = { ...body, email: "idem.two@example.org" };
    const refused = await call("POST", "/agents", key, another, headers);
    expect([refused.status, refused.body.code]).toEqual([422, "idempotency_key_reused"]);
    expect((await call("POST", "/agents", key, body, headers)).body).toEqual(first.body);
    // Its address is still to be had.
    expect((await call("POST", "/agents", key, another)).body.email).toBe(another.email);
  });
});

describe("Letter case makes one agent of an address", () => {
  test("its own partner gets the agent that it has, whatever the case", async () => {
    const { key } = await people.world.addPartner();
    const body = { name: "A", email: "Case@example.org", role: "agent", password };
    const first = await call("POST", "/agents", key, body);
    const again = await call("POST", "/agents", key, { ...body, email: "cASE@EXAMPLE.org" });
    expect([again.status, again.body.id]).toEqual([201, first.body.id]);
    expect((await call("GET", "/agents", key)).body.data).toHaveLength(1);
  });

  test("another partner is answered as if it were new, learns nothing, and no mail goes out", async () => {
    const ours = await people.world.addPartner();
    const ann = await people.add(ours.key);
    const theirs = await people.world.addPartner();
    const body = { name: "Mallory", email: ann.email.toUpperCase(), role: "owner" };
    const invited = await call("POST", "/agents", theirs.key, body);
    const fresh = { ...body, email: "fresh@example.org" };
    const reference = await call("POST", "/agents", theirs.key, fresh);
    expect(invited.status).toBe(201);
    expect(Object.keys(invited.body)).toEqual(Object.keys(reference.body));
    expect(invited.body).toMatchObject({ status: "invited", name: "Mallory", role: "owner" });
    expect(invited.body.id).not.toBe(ann.id);
    const read = await call("GET", `/agents/${invited.body.id}`, theirs.key);
    expect(read.body).toEqual(invited.body);
    // The one that is new gets its mail; by then the other one would have had its own.
    await people.mailTo("fresh@example.org");
    const addresses = mailsIn(people.dataDir).map(({ to }) => to.toLowerCase());
    expect(addresses).not.toContain(ann.email.toLowerCase());
    const signed = await people.signIn(ann.email);
    const me = await call("GET", "/me", signed.access_token);
    expect(me.body.partner.id).toBe(ours.id);
  });

  test("eight at once make one agent", async () => {
    const { key } = await people.world.addPartner();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        call("POST", "/agents", key, {
          name: "A",
          email: index % 2 ? "race@example.org" : "RACE@example.org",
          role: "agent",
          password,
        }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect((await call("GET", "/agents", key)).body.data).toHaveLength(1);
  });
});

describe("Invitation above one's rank", () => {
  test("an admin neither invites, nor promotes to, nor changes an owner: 403", async () => {
    const { key } = await people.world.addPartner();
    const owner = await people.add(key);
    const admin = await people.add(key, { role: "admin" });
    const { access_token } = await people.signIn(admin.email);
    const invite = { name: "X", email: "above@example.org", role: "owner" };
    const refused = await call("POST", "/agents", access_token, invite);
    expect([refused.status, refused.body.code]).toEqual([403, "insufficient_scope"]);
    const promote = await call("PATCH", `/agents/${admin.id}`, access_token, { role: "owner" });
    expect(promote.status).toBe(403);
    expect((await call("PATCH", `/agents/${owner.id}`, access_token, { name: "X" })).status).toBe(
      403,
    );
    expect((await call("POST", `/agents/${owner.id}/disable`, access_token)).status).toBe(403);
    const below = { name: "V", email: "below@example.org", role: "viewer" };
    expect((await call("POST", "/agents", access_token, below)).status).toBe(201);
  });

  test("agents and viewers make none, and a key gives no more than it has", async () => {
    const { id, key } = await people.world.addPartner();
    for (const role of ["agent", "viewer"]) {
      const { email } = await people.add(key, { role });
      const { access_token } = await people.signIn(email);
      const body = { name: "X", email: "no@example.org", role: "viewer" };
      expect((await call("POST", "/agents", access_token, body)).status).toBe(403);
    }
    const narrow = await people.world.addKey(id, { scopes: ["agents:write", "agents:read"] });
    const body = { name: "X", email: "no@example.org", role: "owner" };
    expect((await call("POST", "/agents", narrow, body)).status).toBe(403);
  });

  test("the last owner neither demotes nor disables himself: 409; of two at once one stays", async () => {
    const { key } = await people.world.addPartner();
    const first = await people.add(key);
    const { access_token } = await people.signIn(first.email);
    const demote = (id: string, by: string) =>
      call("PATCH", `/agents/${id}`, by, { role: "admin" });
    expect((await demote(first.id, access_token)).status).toBe(409);
    expect((await call("POST", `/agents/${first.id}/disable`, access_token)).status).toBe(409);
    const second = await people.add(key);
    const other = await people.signIn(second.email);
    const answers = await Promise.all([
      demote(first.id, access_token),
      demote(second.id, other.access_token),
    ]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });
});

describe("a disabled agent", () => {
  test("is out at once, stays out, and each environment hears of it once, from the system", async () => {
    const { id, live } = await bothKeys();
    await people.add(live);
    const ann = await people.add(live, { environments: ["live", "sandbox"], role: "agent" });
    const [here, there] = [
      await people.signIn(ann.email),
      await people.signIn(ann.email, { environment: "live" }),
    ];
    expect(await people.me(here.access_token)).toBe(200);
    const answer = await call("POST", `/agents/${ann.id}/disable`, live);
    expect(answer.body.status).toBe("disabled");
    expect((await call("POST", `/agents/${ann.id}/disable`, live)).status).toBe(200);
    expect(await people.me(here.access_token)).toBe(401);
    expect(await people.me(there.access_token)).toBe(401);
    expect((await people.refresh(here.refresh_token)).body.code).toBe("session_revoked");
    expect((await people.trySignIn(ann.email)).body.code).toBe("invalid_credentials");
    for (const environment of ["live", "sandbox"] as const) {
      const { log } = people.world.platform.contexts[environment];
      const events = await log.readStream(streamOf("presence", ann.id));
      expect(events).toMatchObject([
        {
          type: "AgentPresenceChanged",
          data: { status: "disabled" },
          metadata: { actor: "system", partner: id },
        },
      ]);
    }
  });

  test("loses an environment's sessions when it is taken away", async () => {
    const { live } = await bothKeys();
    const ann = await people.add(live, { environments: ["live", "sandbox"] });
    const signed = await people.signIn(ann.email);
    await call("PATCH", `/agents/${ann.id}`, live, { environments: ["live"] });
    expect(await people.me(signed.access_token)).toBe(401);
    expect((await people.trySignIn(ann.email)).status).toBe(401);
  });

  test("gives back what it has in an environment that is taken away, each time, and in no other", async () => {
    const { live } = await bothKeys();
    const ann = await people.add(live, { environments: ["live", "sandbox"], role: "agent" });
    const give = (environments: readonly string[]) =>
      call("PATCH", `/agents/${ann.id}`, live, { environments });
    for (const environments of [["live"], ["live"], ["live", "sandbox"], ["live"]])
      expect((await give(environments)).status).toBe(200);
    const { live: kept, sandbox } = people.world.platform.contexts;
    const stream = streamOf("presence", ann.id);
    expect(await kept.log.readStream(stream)).toEqual([]);
    const told = { data: { status: "disabled" }, metadata: { actor: "system" } };
    expect(await sandbox.log.readStream(stream)).toMatchObject([told, told]);
  });
});

test("an agent's password cannot be tried against what the log holds of the request", async () => {
  const { key } = await people.world.addPartner();
  const body = { name: "Pia", email: "pia.secret@example.org", role: "agent", password };
  const headers = { "idempotency-key": newId("req") };
  const made = await call("POST", "/agents", key, body, headers);
  const [event] = await people.world.platform.platformLog.readStream(
    streamOf("agent", made.body.id),
  );
  // A plain SHA-256 has 64 hexadecimal digits; this one takes the environment's key to make.
  expect(event!.metadata.fingerprint).toMatch(/^[0-9A-Z]{26}$/);
});

test("an operator who is let into the sandbox alone reaches nothing of the installation", async () => {
  const { world } = people;
  const created = { ...operator, currency: "USD", created_at: new Date().toISOString() };
  const stream = streamOf("partner", operator.partner_id);
  await world.appendPlatform(stream, "any", "PartnerCreated", created);
  const key = await world.addKey(operator.partner_id, { environment: "live", scopes: ["admin"] });
  const only = await people.add(key, { environments: ["sandbox"], role: "owner" });
  const both = await people.add(key, { environments: ["live", "sandbox"], role: "owner" });
  const scopesOf = async ({ email }: { readonly email: string }) => {
    const { access_token } = await people.signIn(email);
    return (await call("GET", "/me", access_token)).body.scopes;
  };
  expect(await scopesOf(only)).toEqual(["*"]);
  expect(await scopesOf(both)).toContain("admin");
});

test("a changed role is in force at once", async () => {
  const { key } = await people.world.addPartner();
  await people.add(key);
  const ann = await people.add(key, { role: "admin" });
  const { access_token } = await people.signIn(ann.email);
  const write = { name: "V", email: "role@example.org", role: "viewer" };
  await call("PATCH", `/agents/${ann.id}`, key, { role: "viewer" });
  expect((await call("POST", "/agents", access_token, write)).status).toBe(403);
});
