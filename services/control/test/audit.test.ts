import { randomBytes, randomUUID } from "node:crypto";
import { makeKey } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { describe, expect, test } from "vitest";
import { openAudited } from "./audited.ts";
import { writeAudit, type NewRow } from "../src/tables/audit.ts";
import { Refusals } from "../src/audit/refusals.ts";

const { world, admin, call, find, rows } = await openAudited();

const sms = { channel: "sms", to: "+15551234567", text: "Hello" };

describe("what is refused", () => {
  test("leaves a row with its code, address and whoever is known, and no more of a key than its prefix", async () => {
    const { id, key } = await world.addPartner();
    const other = await world.addPartner();
    const theirs = (await call("POST", "/keys", other.key, { name: "theirs" })).body.id;
    const viewer = await world.addKey(id, { scopes: ["messages:read"] });
    const elsewhere = await world.addKey(id, { allowed_cidrs: ["192.0.2.0/24"] });
    const wrong = makeKey("sandbox", randomBytes);
    await call("GET", "/keys", elsewhere);
    await call("POST", "/messages", viewer, sms);
    await call("DELETE", `/keys/${theirs}`, key);
    await call("DELETE", `/keys/${wrong}`, key);
    await call("DELETE", "/keys/+15557654321", key);
    await call("POST", "/messages", key, { ...sms, channel: "pigeon" });
    await call("GET", "/keys", wrong);
    await call("GET", "/keys", "a password");
    const known = await rows(6, "", key, "/audit");
    expect(
      known.map(({ code, action, target, count }: Row) => [code, action, target, count]),
    ).toEqual([
      ["invalid_request", "POST /messages", "/api/v1/messages", 1],
      ["not_found", "DELETE /keys/:id", "/api/v1/keys/:id", 1],
      ["not_found", "DELETE /keys/:id", "/api/v1/keys/:id", 1],
      ["not_found", "DELETE /keys/:id", `/api/v1/keys/${theirs}`, 1],
      ["insufficient_scope", "POST /messages", "/api/v1/messages", 1],
      ["ip_not_allowed", "GET /keys", "/api/v1/keys", 1],
    ]);
    for (const row of known)
      expect(row).toMatchObject({
        partner: id,
        ip: "127.0.0.1",
        outcome: expect.any(Number),
        request_id: expect.stringMatching(/^req_/),
      });
    const unknown = await rows(2, "actor=unknown");
    expect(unknown[1]).toMatchObject({
      code: "invalid_key",
      outcome: 401,
      environment: "sandbox",
      partner: null,
      key_prefix: wrong.slice(0, 12),
    });
    expect(unknown[0]).toMatchObject({ key_prefix: null, environment: "live" });
    const table = await stored();
    for (const text of [wrong.slice(8), "password", "7654321", "pigeon"])
      expect(table).not.toContain(text);
  });

  test("stands with the limit and with the state that it was refused for", async () => {
    const { key } = await world.addPartner({ rateLimit: { requests: 1, window_seconds: 3600 } });
    for (let index = 0; index < 20; index++) await call("GET", "/prices", key);
    const busy = await world.addPartner();
    const email = `${busy.id.toLowerCase()}@example.com`;
    const agent = (await call("POST", "/agents", busy.key, { email, name: "Ann", role: "agent" }))
      .body.id;
    const stale = { "if-match": '"99"' };
    expect((await call("PATCH", `/agents/${agent}`, busy.key, { name: "Bob" }, stale)).status).toBe(
      412,
    );
    const [unmet] = await rows(1, `target=${agent}&action=PATCH /agents/:id`, busy.key, "/audit");
    expect(unmet).toMatchObject({ code: "precondition_failed", outcome: 412, changes: null });
    const device = { name: "phone", platform: "ios" };
    const tried = {
      email: `nobody.${email}`,
      password: "wrong password",
      environment: "live",
      device,
    };
    expect((await world.call("POST", "/api/v1/mobile/sessions", { body: tried })).status).toBe(401);
    const [signIn] = await rows(1, "action=POST /mobile/sessions");
    expect(signIn).toMatchObject({ actor: "unknown", partner: null, code: "invalid_credentials" });
    const whole = (row: Row): number => row.count;
    const found = await until(async () => {
      const { data } = await find("action=GET /prices");
      return data.length === 5 && data;
    });
    expect(found.map(whole)).toEqual([1, 1, 1, 1, 1]);
    expect(found[0]).toMatchObject({ code: "rate_limited", outcome: 429 });
  });

  test("is counted in a flood: a hundred thousand wrong keys from many addresses are few rows, and none is left out", () => {
    const refusals = new Refusals();
    const written = [];
    for (let index = 0; index < 100_000; index++)
      written.push(
        ...refusals.take({
          at: index,
          environment: "live",
          partner: "",
          actor: "unknown",
          keyPrefix: `ak_live_${index}`,
          action: "GET /messages",
          target: "/api/v1/messages",
          requestId: `req_${index}`,
          ip: `10.0.${index % 200}.${index % 30}`,
          outcome: 401,
          code: "invalid_key",
        }),
      );
    written.push(...refusals.ended(120_000));
    expect(written.length).toBeLessThan(250);
    const sumOf = (entries: readonly { readonly count: number }[]): number =>
      entries.reduce((sum, { count }) => sum + count, 0);
    expect(sumOf(written)).toBe(100_000);
    expect(refusals.ended(Infinity)).toEqual([]);
    const refuse = (partner: string, actor: string) =>
      refusals.take({
        at: 200_000,
        environment: "live",
        partner,
        actor,
        action: "GET /x",
        target: "",
        requestId: "r",
        ip: "::1",
        outcome: 429,
      });
    // A partner with ever so many keys fills its own share: the rest is one row of it, and the next partner has rows of its own.
    const perKey = Array.from({ length: 5_000 }, (_, index) => refuse("ptn_1", `key_${index}`));
    expect(perKey.flat()).toHaveLength(100);
    expect(refuse("ptn_2", "key_x")).toMatchObject([
      { partner: "ptn_2", actor: "key_x", count: 1 },
    ]);
    const many = Array.from({ length: 5_000 }, (_, index) => refuse(`ptn_${index}`, "key_y"));
    expect(many.flat().length).toBeLessThan(1_000);
    const rest = refusals.ended(Infinity);
    expect(rest.find(({ partner }) => partner === "ptn_1")).toMatchObject({
      actor: "several",
      count: 4_901,
    });
    expect([...perKey, ...many].flat().length + sumOf(rest)).toBe(10_000);
    // Shares are free again.
    expect(refuse("ptn_1", "key_0")).toMatchObject([{ actor: "key_0" }]);
  });
});

describe("what was done", () => {
  test("sends are read from the log, with who and from where, in the order of the rest", async () => {
    const { id, key } = await world.addPartner();
    const first = (await call("POST", "/messages", key, sms)).body.id;
    const made = (await call("POST", "/keys", key, { name: "between" })).body.id;
    const second = (await call("POST", "/messages", key, sms)).body.id;
    const all = await rows(3, "", key, "/audit");
    expect(all.map(({ action, subject }: Row) => [action, subject])).toEqual([
      ["POST /messages", second],
      ["POST /keys", made],
      ["POST /messages", first],
    ]);
    expect(all[0]).toMatchObject({
      outcome: 202,
      partner: id,
      ip: "127.0.0.1",
      target: `/api/v1/messages/${second}`,
    });
    expect(JSON.stringify(all)).not.toContain("5551234567");
    expect(await rows(1, `target=${first}`, key, "/audit")).toMatchObject([{ subject: first }]);
    expect(await rows(1, `target=${made}`, key, "/audit")).toMatchObject([{ subject: made }]);
    expect(await rows(2, "action=POST /messages", key, "/audit")).toHaveLength(2);
    const stranger = await world.addPartner();
    expect(await rows(0, `target=${first}`, stranger.key, "/audit")).toEqual([]);
    const live = await world.addKey(id, { environment: "live" });
    expect(await rows(0, `target=${first}`, live, "/audit")).toEqual([]);
  });

  test("what a person sends is there when it is answered: no log keeps from where", async () => {
    const { key } = await world.addPartner();
    const email = `sender${randomBytes(4).toString("hex")}@example.com`;
    const password = "correct horse battery";
    const person = { email, password, name: "Ann", role: "owner", environments: ["sandbox"] };
    const { body: agent } = await call("POST", "/agents", key, person);
    const device = { name: "phone", platform: "ios" };
    const { body: session } = await world.call("POST", "/api/v1/mobile/sessions", {
      body: { email, password, environment: "sandbox", device },
    });
    const { pool } = world.platform.contexts.sandbox;
    for (const count of [1, 2]) {
      expect((await call("POST", "/messages", session.access_token, sms)).status).toBe(202);
      const { rows: found } = await pool.query(
        "select ip from control.audit where actor = $1 and action = 'POST /messages'",
        [agent.id],
      );
      expect(found).toEqual(Array.from({ length: count }, () => ({ ip: "127.0.0.1" })));
    }
  });

  test("shows settings before and after, by the schemas of their events", async () => {
    const { id, key } = await world.addPartner();
    const sentinel = `Sentinel${randomBytes(6).toString("hex")}`;
    const url = (path: string): string => `https://hooks.example.com/${path}`;
    const body = { url: url(sentinel), headers: { "X-Auth": sentinel }, description: sentinel };
    const endpoint = (await call("POST", "/webhook-endpoints", key, body)).body;
    const path = `/webhook-endpoints/${endpoint.id}`;
    await call("PATCH", path, key, { rate_limit: 7, headers: { "X-Auth": `${sentinel}2` } });
    const rotated = await call("POST", `${path}/rotate-secret`, key, {});
    const agent = {
      email: `${sentinel}@example.com`,
      name: sentinel,
      role: "agent",
      password: `${sentinel} long enough`,
    };
    expect((await call("POST", "/agents", key, agent)).status).toBe(201);
    await call("POST", "/webhook-endpoints", key, { ...body, [sentinel]: sentinel });
    await call("PATCH", `/admin/partners/${id}`, admin, {
      rate_limit: { requests: 5000, window_seconds: 2 },
    });
    const found = await rows(5, "", key, "/audit");
    const changed = found.find(({ action }: Row) => action.startsWith("PATCH"));
    expect(changed).toMatchObject({
      subject: endpoint.id,
      changes: {
        events: ["WebhookEndpointUpdated"],
        before: { rate_limit: null, sealed_headers: "[masked]" },
        after: { rate_limit: 7, sealed_headers: "[masked]" },
      },
    });
    const created = found.at(-1);
    expect(created.changes).toMatchObject({
      before: null,
      after: { url: "https://hooks.example.com", secret: "[masked]", description: "[masked]" },
    });
    const [limits] = await rows(1, `target=${id}`);
    expect(limits.changes).toMatchObject({
      before: { rate_limit: { window_seconds: 1 } },
      after: { rate_limit: { requests: 5000, window_seconds: 2 } },
    });
    await call("PUT", "/wallet/settings", admin, {
      partner_id: id,
      environment: "sandbox",
      credit_limit: "5",
    });
    const [lent] = await rows(1, "action=PUT /wallet/settings");
    expect(lent.changes).toMatchObject({ before: null, after: { terms: { credit_limit: "5" } } });
    await call("PUT", "/admin/routing", admin, { rules: [] });
    const gateway = { name: "mail", channel: "email", kind: "log" };
    const { body: mail } = await call("POST", "/admin/gateways", admin, gateway);
    const match = { channel: "email", country_prefix: "48", sender: sentinel };
    const rule = { match, policy: "priority", gateways: [mail.id] };
    expect((await call("PUT", "/admin/routing", admin, { rules: [rule] })).status).toBe(200);
    const [routed] = await rows(2, "action=PUT /admin/routing");
    expect(routed.changes.after.rules).toMatchObject([
      { match: { country_prefix: "48", sender: "[masked]" }, gateways: [mail.id] },
    ]);
    const table = await stored();
    for (const text of [sentinel, endpoint.secret, rotated.body.secret])
      expect(table).not.toContain(text);
  });
});

describe("the list", () => {
  test("shows each row once, forward and back, where a hundred have one time, while new ones come", async () => {
    const { id, key } = await world.addPartner();
    const { pool } = world.platform.contexts.sandbox;
    const at = Date.now();
    const row = (name: string): NewRow => ({
      entry: randomUUID(),
      at,
      environment: "sandbox",
      partner: id,
      actor: "key_x",
      action: "POST /keys",
      target: name,
      requestId: name,
      ip: "::1",
      outcome: 201,
      count: 1,
    });
    await writeAudit(
      pool,
      Array.from({ length: 100 }, (_, index) => row(`${index}`)),
    );
    const expected = Array.from({ length: 100 }, (_, index) => `${99 - index}`);
    const seen: string[] = [];
    const backs: string[] = [];
    for (let next: string | null = ""; next !== null;) {
      const { data, next_cursor, prev_cursor } = await find(
        `limit=7${next && `&after=${next}`}`,
        key,
        "/audit",
      );
      seen.push(...data.map(({ target }: Row) => target));
      if (prev_cursor !== null) backs.push(prev_cursor);
      next = next_cursor;
      await writeAudit(pool, [row("new")]);
      await call("POST", "/messages", key, sms);
    }
    expect(seen).toEqual(expected);
    const back: string[] = [];
    for (let before: string | null = backs.at(-1)!; before !== null;) {
      const { data, prev_cursor } = await find(`limit=7&before=${before}`, key, "/audit");
      back.unshift(...data.map(({ target }: Row) => target));
      before = prev_cursor;
    }
    const old = back.filter((target) => /^\d+$/.test(target));
    expect(old).toEqual(expected.slice(0, old.length));
    expect(back.filter((target) => target === "new")).toHaveLength(15);
    expect(new Set(back.filter((target) => target.includes("msg_"))).size).toBe(15);
    const foreign = await find("limit=1", admin);
    const misused = await call("GET", `/audit?after=${foreign.next_cursor}`, key);
    expect(misused.status).toBe(422);
  });

  test("is written as a file whose cells run nowhere", async () => {
    const { id, key } = await world.addPartner();
    const { pool } = world.platform.contexts.sandbox;
    const row = (target: string, ip: string): NewRow => ({
      entry: randomUUID(),
      at: Date.now(),
      environment: "sandbox",
      partner: id,
      actor: "=1+1",
      action: "a",
      target,
      requestId: '@x,"y',
      ip,
      outcome: 201,
      count: 3,
    });
    await writeAudit(pool, [row("-2+3", "+15551234567")]);
    const file = await world.call("GET", "/api/v1/audit/export", { key });
    expect(file.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const [head, line, ...more] = file.text.trimEnd().split("\r\n");
    expect(head).toContain("at,environment,partner,actor");
    expect(line).toContain(`'=1+1,,a,'-2+3,,"'@x,""y",'+15551234567,201,,3,`);
    expect(more).toEqual([]);
    expect(
      (await world.call("GET", `/api/v1/admin/audit/export?partner=${id}`, { key: admin })).text,
    ).toBe(file.text);
    expect((await world.call("GET", "/api/v1/admin/audit/export", { key })).status).toBe(403);
    const without = await world.addKey(id, { scopes: ["messages:read"] });
    expect((await world.call("GET", "/api/v1/audit", { key: without })).status).toBe(403);
  });
});

type Row = {
  readonly actor: string;
  readonly code: string;
  readonly action: string;
  readonly target: string;
  readonly count: number;
  readonly subject: string;
};

/** Everything that the audits of both environments hold. */
async function stored(): Promise<string> {
  const texts: string[] = [];
  for (const environment of ["live", "sandbox"] as const) {
    const { pool } = world.platform.contexts[environment];
    const { rows: found } = await pool.query<{ row: string }>(
      "select a::text as row from control.audit a",
    );
    texts.push(...found.map(({ row }) => row));
  }
  return texts.join("\n");
}
