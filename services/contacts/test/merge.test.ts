import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Setting, newCrm, newPhone, openSetting, pathOf } from "./setting.ts";

type View = Readonly<Record<string, unknown>> & { readonly id: string };
type MergeBody = { readonly merge_id: string; readonly contact: View; readonly moved: object };

let setting: Setting;
beforeAll(async () => {
  setting = await openSetting({ consumers: "run" });
});
afterAll(() => setting.world.close());

const merge = (from: string, into: string, more: object = {}, headers?: Record<string, string>) =>
  setting.call("POST", `/contacts/${from}/merge`, { into, ...more }, headers && { headers });
const typesOf = async (id: string): Promise<readonly string[]> => {
  const { log } = setting.world.platform.contexts.sandbox;
  return (await log.readStream(streamOf("contact", id))).map(({ type }) => type);
};

describe("a merge", () => {
  it("Merge with oneself destroys: it is refused, and nothing is touched", async () => {
    const id = await setting.made({ name: "Self", external_ids: [newCrm()] });
    const before = await setting.get(`/contacts/${id}`);
    expect((await merge(id, id)).status).toBe(422);
    expect(await setting.get(`/contacts/${id}`)).toEqual(before);
  });

  it("Merge drops fields: the survivor gains what it lacks, the preview shows exactly that, an unmerge gives all back", async () => {
    const { made, get, call } = setting;
    const [crm, phone] = [newCrm(), newPhone()];
    const a = await made({
      external_ids: [phone],
      name: "A",
      language: "de",
      attributes: { plan: "gold", seats: 3 },
      tags: ["vip", "both"],
    });
    const b = await made({ external_ids: [crm], attributes: { seats: 9 }, tags: ["both"] });
    const [wasA, wasB] = [await get(`/contacts/${a}`), await get(`/contacts/${b}`)];

    const preview = await merge(a, b, { dry_run: true });
    expect(preview.body).toMatchObject({
      merge_id: null,
      contact: {
        id: b,
        name: "A",
        language: "de",
        attributes: { plan: "gold", seats: 9 },
        tags: ["both", "vip"],
        external_ids: [crm, phone],
      },
      moved: { external_ids: 1, conversations: 0, messages: 0 },
    });
    expect(await get(`/contacts/${a}`)).toEqual(wasA);

    const { merge_id: mergeId, contact, moved } = (await merge(a, b)).body as MergeBody;
    const shown = preview.body as MergeBody;
    const timeless = (view: View) => ({ ...view, updated_at: "" });
    expect(timeless(contact)).toEqual(timeless(shown.contact));
    expect(moved).toEqual(shown.moved);
    expect(await get(`/contacts/${a}`)).toEqual({ id: a, merged_into: b });
    expect((await get(pathOf(phone)))["id"]).toBe(b);

    expect(await get(`/contacts/${b}/merges`)).toMatchObject({
      data: [{ merge_id: mergeId, contact_id: a, merged_at: expect.stringMatching(/Z$/) }],
    });
    expect((await call("GET", `/contacts/${a}/merges`)).status).toBe(409);

    await call("PATCH", `/contacts/${b}`, { name: "Later" });
    const undone = await call("POST", `/contacts/${b}/unmerge`, { merge_id: mergeId });
    const [survivor, back] = (undone.body as { contacts: [View, View] }).contacts;
    expect(timeless(survivor)).toEqual({ ...wasB, name: "Later", updated_at: "" });
    expect(timeless(back)).toEqual({ ...wasA, updated_at: "" });
    expect(await get(`/contacts/${b}/merges`)).toMatchObject({ data: [] });
    expect((await get(pathOf(phone)))["id"]).toBe(a);
    const again = await call("POST", `/contacts/${b}/unmerge`, { merge_id: mergeId });
    expect(again.body).toEqual(undone.body);
  });

  it("A merged id stays writable: upserts by its external ids land on the survivor, a PATCH of it is refused", async () => {
    const { made, call, get } = setting;
    const [crm, phone] = [newCrm(), newPhone()];
    const a = await made({ external_ids: [crm, phone] });
    const b = await made({ name: "B" });
    const c = await made({ name: "C" });
    await merge(a, b);
    const put = await call("PUT", pathOf(phone), { tags: ["new"] });
    expect([put.status, put.body]).toMatchObject([200, { id: b, tags: ["new"] }]);
    const refused = await call("PATCH", `/contacts/${a}`, { name: "X" });
    expect([refused.status, refused.body]).toMatchObject([
      409,
      { code: "contact_merged", merged_into: b },
    ]);
    await merge(b, c);
    expect(await get(`/contacts/${a}`)).toEqual({ id: a, merged_into: c });
    expect((await get(pathOf(crm)))["id"]).toBe(c);
    expect((await merge(a, c)).status).toBe(409);
    const gone = `/contacts/${c}/external-ids/crm/${crm.id}`;
    expect((await call("DELETE", gone)).status).toBe(204);
    expect((await call("GET", pathOf(crm))).status).toBe(404);
  });

  it("of A into B and of B into A at once never makes a circle", async () => {
    for (let round = 0; round < 6; round++) {
      const [a, b] = [await setting.made({ name: "A" }), await setting.made({ name: "B" })];
      const both = await Promise.all([merge(a, b), merge(b, a)]);
      const merged = both.filter(({ status }) => status === 200);
      expect(merged.length, both.map(({ text }) => text).join()).toBe(1);
      const views = [await setting.get(`/contacts/${a}`), await setting.get(`/contacts/${b}`)];
      expect(views.filter((view) => "merged_into" in view)).toHaveLength(1);
    }
  });

  it("three contacts merged in a circle at once still end in one that is nobody's part", async () => {
    for (let round = 0; round < 3; round++) {
      const ids = await Promise.all(["A", "B", "C"].map((name) => setting.made({ name })));
      await Promise.all(ids.map((id, index) => merge(id, ids[(index + 1) % 3]!)));
      const views = await Promise.all(ids.map((id) => setting.get(`/contacts/${id}`)));
      const roots = views.filter((view) => !("merged_into" in view)).map(({ id }) => id);
      expect(roots.length).toBeGreaterThan(0);
      for (const view of views)
        if ("merged_into" in view) expect(roots).toContain(view["merged_into"]);
    }
  });

  it("is done once for its idempotency key, also when the stored answer is gone", async () => {
    const [a, b] = [await setting.made({ name: "A" }), await setting.made({})];
    const key = { "idempotency-key": `merge-${a}` };
    const first = await merge(a, b, {}, key);
    const { pool } = setting.world.platform.contexts.sandbox;
    await pool.query("delete from ingress.idempotency where key = $1", [key["idempotency-key"]]);
    const second = await merge(a, b, {}, key);
    expect([second.status, second.body]).toEqual([200, first.body]);
    await until(async () => (await typesOf(b)).length === 3);
  });

  it("of another partner's contact finds none", async () => {
    const { call, made, world } = setting;
    const a = await made({});
    const key = world.partners[1]!.key;
    const theirs = (await call("POST", "/contacts", {}, { key })).body as View;
    expect((await merge(a, theirs.id)).status).toBe(404);
    expect((await merge(theirs.id, a)).status).toBe(404);
  });

  it("seals what is of two people so that either's erasure leaves the other readable", async () => {
    const { made, call, get, world } = setting;
    const { vault, log } = world.platform.contexts.sandbox;
    const partner = world.partners[0]!.id;
    const a = await made({ name: "Secret A", tags: ["secret-tag"] });
    const b = await made({ language: "en", tags: ["own"] });
    const { merge_id: mergeId } = (await merge(a, b)).body as MergeBody;
    await call("PATCH", `/contacts/${b}`, { time_zone: "Europe/Paris" });
    await call("POST", `/contacts/${b}/unmerge`, { merge_id: mergeId });
    await vault.destroy(partner, [a]);
    expect(await get(`/contacts/${b}`)).toMatchObject({
      language: "en",
      time_zone: "Europe/Paris",
      tags: ["own"],
      name: null,
    });
    const events = await log.readStream(streamOf("contact", b));
    const open = await vault.open(partner, ...events);
    expect(JSON.stringify(open(events.map(({ data }) => data)))).not.toMatch(/secret/i);
  });
});
