import { streamOf } from "@heliograph/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Setting, newCrm, newPhone, openSetting, pathOf } from "./setting.ts";

let setting: Setting;
beforeAll(async () => {
  setting = await openSetting();
});
afterAll(() => setting.world.close());

const events = async (contactId: string) => {
  const { log } = setting.world.platform.contexts.sandbox;
  return log.readStream(streamOf("contact", contactId));
};

describe("a contact", () => {
  it("is made, shown and changed by a merge patch", async () => {
    const { call } = setting;
    const phone = newPhone();
    const created = await call("POST", "/contacts", {
      external_ids: [phone, { source: "email", id: "Ada@Example.COM" }],
      name: "Ada Lovelace",
      language: "en_gb",
      time_zone: "Europe/London",
      attributes: { plan: "gold", seats: 3, vip: true, since: "2026-01-15" },
      tags: ["a", "b", "a"],
      client_ref: "r-1",
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      external_ids: [phone, { source: "email", id: "Ada@example.com" }],
      language: "en-GB",
      tags: ["a", "b"],
      attributes: { plan: "gold", seats: 3, vip: true, since: "2026-01-15" },
    });
    const { id } = created.body as { id: string };
    const patched = await call("PATCH", `/contacts/${id}`, {
      name: null,
      attributes: { plan: null, seats: 4 },
      tags: ["c"],
    });
    expect(patched.body).toMatchObject({
      name: null,
      attributes: { seats: 4, vip: true, since: "2026-01-15" },
      tags: ["c"],
      client_ref: "r-1",
      external_ids: [phone, { source: "email", id: "Ada@example.com" }],
    });
    expect((await call("GET", `/contacts/${id}`)).body).toEqual(patched.body);
    expect((await call("GET", pathOf(phone))).body).toEqual(patched.body);
  });

  it("keeps nothing of a person readable in the log", async () => {
    const { made, call } = setting;
    const id = await made({
      external_ids: [{ source: "email", id: "grace@example.com" }],
      name: "Grace Hopper",
      tags: ["navy"],
      attributes: { rank: "admiral" },
    });
    await call("PATCH", `/contacts/${id}`, { tags: ["cobol"] });
    const text = JSON.stringify((await events(id)).map(({ data, metadata }) => [data, metadata]));
    expect(text).not.toMatch(/grace|hopper|navy|admiral|rank|cobol/i);
  });

  it("holds an attribute to the type it was given first, also after it was removed", async () => {
    const { made, call } = setting;
    const id = await made({ attributes: { seats: 3, since: "2026-01-15", note: "hi" } });
    for (const attributes of [{ seats: "many" }, { since: "soon" }, { seats: true }]) {
      const refused = await call("PATCH", `/contacts/${id}`, { name: "X", attributes });
      expect([refused.status, refused.body]).toMatchObject([
        422,
        { errors: [{ path: `attributes.${Object.keys(attributes)[0]}`, code: "invalid_type" }] },
      ]);
    }
    await call("PATCH", `/contacts/${id}`, { attributes: { seats: null, note: "2026-01-01" } });
    const again = await call("PATCH", `/contacts/${id}`, { attributes: { seats: "many" } });
    expect(again.status).toBe(422);
    expect((await setting.get(`/contacts/${id}`))["attributes"]).toEqual({
      since: "2026-01-15",
      note: "2026-01-01",
    });
  });

  it.each([
    [{ time_zone: "Mars/Base" }, "time_zone"],
    [{ time_zone: "+02:00" }, "time_zone"],
    [{ language: "english please" }, "language"],
    [{ external_ids: [{ source: "sms", id: "0444123456" }] }, "external_ids.0.id"],
    [{ external_ids: [{ source: "CRM", id: "1" }] }, "external_ids.0.source"],
    [{ attributes: { "1st": 1 } }, "attributes.1st"],
    [{ tags: [""] }, "tags.0"],
    [{ nickname: "x" }, "nickname"],
  ])("is refused whole for one wrong field (%#)", async (body, path) => {
    const before = await setting.world.heads();
    const refused = await setting.call("POST", "/contacts", { name: "N", ...body });
    expect([refused.status, refused.body]).toMatchObject([422, { errors: [{ path }] }]);
    expect(await setting.world.heads()).toBe(before);
  });

  it("changes for whoever saw its state, and is 304 for whoever has it", async () => {
    const { made, call } = setting;
    const id = await made({ name: "Tagged" });
    const tag = (await call("GET", `/contacts/${id}`)).headers.get("etag")!;
    const same = { headers: { "if-none-match": tag } };
    expect((await call("GET", `/contacts/${id}`, undefined, same)).status).toBe(304);
    const match = { headers: { "if-match": tag } };
    const both = await Promise.all(
      ["x", "y"].map((name) => call("PATCH", `/contacts/${id}`, { name }, match)),
    );
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
    const crm = newCrm();
    const none = await call("PUT", pathOf(crm), { name: "z" }, { headers: { "if-match": "*" } });
    expect(none.status).toBe(412);
    expect((await call("GET", pathOf(crm))).status).toBe(404);
  });

  it("is made once for its idempotency key, also when the stored answer is gone", async () => {
    const { call, world } = setting;
    const options = { headers: { "idempotency-key": "make-once" } };
    const body = { external_ids: [newCrm(), newPhone()], name: "Once" };
    const first = await call("POST", "/contacts", body, options);
    const { pool } = world.platform.contexts.sandbox;
    await pool.query("delete from ingress.idempotency where key = 'make-once'");
    const second = await call("POST", "/contacts", body, options);
    expect([second.status, second.body]).toEqual([201, first.body]);
    await pool.query("delete from ingress.idempotency where key = 'make-once'");
    const other = await call("POST", "/contacts", { ...body, name: "Other" }, options);
    expect([other.status, other.body]).toMatchObject([422, { code: "idempotency_key_reused" }]);
  });
});

describe("external ids", () => {
  it("are added once, found by any spelling, and free when they are removed", async () => {
    const { made, call } = setting;
    const id = await made({ name: "Ids" });
    const mail = { source: "email", id: `ids@EXAMPLE.com` };
    expect((await call("POST", `/contacts/${id}/external-ids`, mail)).body).toMatchObject({
      source: "email",
      id: "ids@example.com",
    });
    expect((await call("POST", `/contacts/${id}/external-ids`, mail)).status).toBe(201);
    expect((await setting.get(pathOf(mail)))["id"]).toBe(id);
    const other = await call("POST", "/contacts", { external_ids: [mail] });
    expect([other.status, other.body]).toMatchObject([
      409,
      { code: "external_id_taken", contact_id: id },
    ]);
    const path = `/contacts/${id}/external-ids/email/${encodeURIComponent(mail.id)}`;
    expect((await call("DELETE", path)).status).toBe(204);
    expect((await call("DELETE", path)).status).toBe(404);
    expect((await call("GET", pathOf(mail))).status).toBe(404);
    expect((await call("POST", "/contacts", { external_ids: [mail] })).status).toBe(201);
  });

  it("Identity crosses tenants: partners and environments know nothing of each other", async () => {
    const { call, world } = setting;
    const [first, second] = world.partners as [
      (typeof world.partners)[0],
      (typeof world.partners)[0],
    ];
    const keys = [
      first.key,
      second.key,
      await world.addKey(first.id, { environment: "live" }),
      await world.addKey(second.id, { environment: "live" }),
    ];
    const body = { external_ids: [{ source: "email", id: "shared@example.com" }] };
    const ids = await Promise.all(
      keys.map(async (key) => (await call("POST", "/contacts", body, { key })).body),
    );
    expect(new Set(ids.map((each) => (each as { id: string }).id)).size).toBe(4);
    const mine = (ids[0] as { id: string }).id;
    for (const key of keys.slice(1))
      for (const [method, path, given] of [
        ["GET", `/contacts/${mine}`],
        ["PATCH", `/contacts/${mine}`, { name: "stolen" }],
        ["POST", `/contacts/${mine}/external-ids`, newCrm()],
        ["DELETE", `/contacts/${mine}/external-ids/email/shared%40example.com`],
      ] as const)
        expect((await call(method, path, given, { key })).status, `${method} ${path}`).toBe(404);
  });

  it("Guessing identity: two ids of one source are two contacts, and both stay", async () => {
    const { call } = setting;
    const device = { source: "device", id: "D-1" };
    const [one, two] = [newCrm(), newCrm()];
    const first = await call("PUT", pathOf(one), { external_ids: [device] });
    const second = await call("PUT", pathOf(two), { external_ids: [device] });
    expect([first.status, second.status, second.body]).toMatchObject([
      201,
      409,
      { code: "external_id_taken", contact_id: (first.body as { id: string }).id },
    ]);
    expect((await call("PUT", pathOf(two), {})).status).toBe(201);
  });

  it("Losers of a first-contact race: one 201, seven 200, one contact, and no winner's field undone", async () => {
    const { call } = setting;
    for (let round = 0; round < 5; round++) {
      const crm = newCrm();
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          call(
            "PUT",
            pathOf(crm),
            index === 3 ? { tags: ["kept"] } : { attributes: { [`from${index}`]: index } },
          ),
        ),
      );
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
      expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200, 201]);
      expect(new Set(answers.map(({ body }) => (body as { id: string }).id)).size).toBe(1);
      const contact = (await call("GET", pathOf(crm))).body;
      expect(contact).toMatchObject({ tags: ["kept"], external_ids: [crm] });
      expect(Object.keys((contact as { attributes: object }).attributes)).toHaveLength(7);
    }
  });

  it("Upsert half done in silence: an id that another contact has applies nothing of the request", async () => {
    const { call, made } = setting;
    const [phone, mail, free] = [newPhone(), { source: "email", id: "y@example.com" }, newCrm()];
    const x = await made({ external_ids: [phone] });
    await made({ external_ids: [mail], name: "Y" });
    const body = { name: "Changed", external_ids: [free, phone] };
    const refused = await call("PUT", pathOf(mail), body);
    expect([refused.status, refused.body]).toMatchObject([
      409,
      { code: "external_id_taken", contact_id: x },
    ]);
    expect(await setting.get(pathOf(mail))).toMatchObject({ name: "Y", external_ids: [mail] });
    expect((await call("GET", pathOf(free))).status).toBe(404);
    const created = await call("POST", "/contacts", { external_ids: [newCrm(), free, phone] });
    expect(created.status).toBe(409);
    expect((await call("POST", "/contacts", { external_ids: [free] })).status).toBe(201);
  });

  it("'Normalising' changes who is written to: a number is kept as it came", async () => {
    const { call } = setting;
    const landline = { source: "whatsapp", id: "+551133334444" };
    const mobile = { source: "whatsapp", id: "+5511933334444" };
    const made = await call("PUT", pathOf(landline), {});
    expect(made.body).toMatchObject({ external_ids: [landline] });
    expect((await call("GET", pathOf(mobile))).status).toBe(404);
  });

  it("Letter case makes two people, or one of two: a domain ignores case, a local part keeps it", async () => {
    const { call } = setting;
    const put = async (id: string) => call("PUT", pathOf({ source: "email", id }), {});
    const [lower, upper, local] = [
      await put("case@example.org"),
      await put("case@EXAMPLE.org"),
      await put("Case@example.org"),
    ];
    expect([lower.status, upper.status, local.status]).toEqual([201, 200, 201]);
    expect((upper.body as { id: string }).id).toBe((lower.body as { id: string }).id);
    expect((local.body as { id: string }).id).not.toBe((lower.body as { id: string }).id);
  });

  it("of any characters are named in the address, percent-encoded", async () => {
    const { call } = setting;
    const odd = { source: "crm.eu", id: "a/b c+%é" };
    expect((await call("PUT", pathOf(odd), { name: "Odd" })).status).toBe(201);
    expect(await setting.get(pathOf(odd))).toMatchObject({ name: "Odd", external_ids: [odd] });
    const wrong = await call("PUT", pathOf({ source: "sms", id: "12" }), {});
    expect([wrong.status, wrong.body]).toMatchObject([
      422,
      { errors: [{ code: "invalid_phone" }] },
    ]);
  });
});
