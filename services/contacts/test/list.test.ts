import { formatPosition } from "@heliograph/log";
import { rebuildProjector, type Projector } from "@heliograph/runtime";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { people } from "./people.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run", partners: [{}] });
});
afterAll(() => world.close());

const context = () => world.platform.contexts.sandbox;
async function partner() {
  const { id, key } = await world.addPartner();
  const head = async (): Promise<string> => formatPosition(await context().log.head());
  return {
    id,
    key,
    ...people(context(), id),
    async list(query = "") {
      const headers = { "Min-Log-Position": await head() };
      return world.call("GET", `/api/v1/contacts${query}`, { key, headers });
    },
    async names(query: string): Promise<(string | null)[]> {
      const { status, body } = await this.list(query);
      expect(status).toBe(200);
      return body.data.map(({ name }: { name: string | null }) => name);
    },
  };
}
const projector = (): Projector =>
  service.consumers!(context()).find(
    (consumer): consumer is Projector => consumer.kind === "projector",
  )!;
const rebuild = (verifyOnly: boolean) =>
  rebuildProjector(context(), projector(), { verifyOnly, signal: AbortSignal.timeout(60_000) });
const rowOf = async (id: string) =>
  (await context().pool.query("select * from contacts.contacts where id = $1", [id])).rows[0];

describe("the list of contacts", () => {
  test("shows what a contact is, newest first, in pages", async () => {
    const by = await partner();
    const first = await by.create({
      name: "Ada",
      ids: [["sms", "+15551234567"]],
      tags: ["vip"],
      attributes: { plan: "gold", age: 36, member: true },
      language: "en",
    });
    await by.create({ name: "Bo" });
    await by.create({ name: "Cy" });
    const { body } = await by.list("?limit=2");
    expect(body.data.map(({ name }: { name: string }) => name)).toEqual(["Cy", "Bo"]);
    const next = await by.list(`?limit=2&after=${body.next_cursor}`);
    expect(next.body).toMatchObject({ next_cursor: null });
    expect(next.body.data).toEqual([
      {
        id: first,
        external_ids: [{ source: "sms", id: "+15551234567", added_at: expect.any(String) }],
        name: "Ada",
        language: "en",
        time_zone: null,
        attributes: { plan: "gold", age: 36, member: true },
        tags: ["vip"],
        client_ref: null,
        created_at: expect.any(String),
        updated_at: expect.any(String),
      },
    ]);
  });

  test("filters by every field alone and by several together", async () => {
    const by = await partner();
    await by.create({
      name: "Ada",
      ids: [
        ["sms", "+15551234567"],
        ["crm", "C-1"],
      ],
      tags: ["vip"],
      attributes: { plan: "gold", age: 36 },
    });
    await by.create({ name: "Bo", ids: [["email", "Bo@example.com"]], tags: ["vip"] });
    expect(await by.names("?tag=vip")).toEqual(["Bo", "Ada"]);
    expect(await by.names("?tag=vip&source=crm")).toEqual(["Ada"]);
    expect(await by.names("?source=email")).toEqual(["Bo"]);
    expect(await by.names("?source=sms&external_id=%2B1%20555%20123-4567")).toEqual(["Ada"]);
    expect(await by.names("?external_id=Bo@EXAMPLE.com")).toEqual(["Bo"]);
    expect(await by.names("?source=crm&external_id=c-1")).toEqual([]);
    expect(await by.names("?attribute[plan]=gold")).toEqual(["Ada"]);
    expect(await by.names("?attribute[age]=36&q=ad")).toEqual(["Ada"]);
    expect(await by.names("?attribute[plan]=GOLD")).toEqual([]);
    expect(await by.names("?updated_from=2100-01-01T00:00:00Z")).toEqual([]);
    expect(await by.names("?updated_from=2020-01-01T00:00:00Z&q=b")).toEqual(["Bo"]);
  });

  test("refuses a filter that it does not know, and a search for nothing", async () => {
    const by = await partner();
    for (const query of [
      "?atribute[plan]=x",
      "?q=%20%20",
      "?attribute[]=x",
      "?q=a b c d e f g h i j k",
    ])
      expect((await by.list(query)).status, query).toBe(422);
  });

  test("knows nothing of other partners and of the other environment", async () => {
    const [one, other] = [await partner(), await partner()];
    await one.create({ name: "Ada", ids: [["email", "a@b.example"]] });
    await other.create({ name: "Bo", ids: [["email", "a@b.example"]] });
    expect(await one.names("?external_id=a@b.example")).toEqual(["Ada"]);
    expect(await other.names("?q=b.example")).toEqual(["Bo"]);
    const live = await world.addKey(one.id, { environment: "live" });
    expect((await world.call("GET", "/api/v1/contacts", { key: live })).body.data).toEqual([]);
  });

  test.each([
    ["Álvaro Núñez", "alvaro"],
    ["A\u0301lvaro Nu\u0301n\u0303ez", "ÁLVA"],
    ["用户身份", "用户"],
    ["quick db", "db quick"],
  ])("%s is found by %s", async (name, q) => {
    const by = await partner();
    await by.create({ name });
    await by.create({ name: "quick fox" });
    expect(await by.names(`?q=${encodeURIComponent(q)}`)).toEqual([name]);
  });

  test.each(["(555) 123-4567", "555123"])("a phone number is found by %s", async (q) => {
    const by = await partner();
    await by.create({ name: "Ada", ids: [["sms", "+15551234567"]] });
    await by.create({ name: "Bo", ids: [["crm", "44 20 7946-0000"]] });
    expect(await by.names(`?q=${encodeURIComponent(q)}`)).toEqual(["Ada"]);
    expect(await by.names("?q=442079460000")).toEqual(["Bo"]);
  });

  test("% and _ stand for themselves", async () => {
    const by = await partner();
    await by.create({ name: "100% sure" });
    await by.create({ name: "1000 sure" });
    expect(await by.names("?q=100%25")).toEqual(["100% sure"]);
    expect(await by.names("?q=0_0")).toEqual([]);
  });

  test("follows changes: fields, external ids, merges and unmerges, in one batch or several", async () => {
    const by = await partner();
    const a = await by.create({ name: "Ann", ids: [["sms", "+15550000001"]] });
    const b = await by.create({ name: "Ben", ids: [["email", "ben@example.com"]] });
    await by.update(a, { name: "Anna", tags: ["new"] });
    await by.addId(a, "crm", "C-7");
    expect(await by.names("?q=anna&tag=new&source=crm")).toEqual(["Anna"]);
    expect(await by.names("?q=ann c-7")).toEqual(["Anna"]);
    await by.merge(a, b);
    expect(await by.names("?q=c-7")).toEqual(["Ben"]);
    expect(await by.names("")).toEqual(["Ben"]);
    const c = await by.create({ name: "Cat" });
    await by.merge(b, c);
    expect(await by.names("?external_id=%2B15550000001")).toEqual(["Cat"]);
    await by.removeId(c, "sms", "+15550000001");
    expect(await by.names("?external_id=%2B15550000001")).toEqual([]);
    await by.unmerge(b);
    expect(await by.names("?q=c-7")).toEqual(["Ben"]);
    await by.unmerge(a);
    expect(await by.names("?q=c-7")).toEqual(["Anna"]);
    expect(await by.names("")).toEqual(["Cat", "Ben", "Anna"]);
    expect(await rebuild(true)).toMatchObject({ equal: true });
  });

  test("nothing personal is left of an erased contact, and a rebuild gives the same rows", async () => {
    const by = await partner();
    const person = { tags: ["secret"], attributes: { plan: "gold" }, language: "pl" };
    const gone = await by.create({ name: "Zażółć", ids: [["sms", "+15557654321"]], ...person });
    const part = await by.create({ name: "Part", ids: [["crm", "P-1"]] });
    const stays = await by.create({ name: "Stays" });
    await by.merge(part, gone);
    expect(await by.names("?q=zazolc")).toEqual(["Zażółć"]);
    await by.erase(gone, [part]);
    expect(await by.names("")).toEqual(["Stays"]);
    expect(await by.names("?q=p-1")).toEqual([]);
    const scrubbed = {
      name: null,
      own_ids: "[]",
      external_ids: "[]",
      search: "",
      terms: [],
      erased: true,
    };
    for (const id of [gone, part]) {
      const row = await rowOf(id);
      expect(row).toMatchObject(scrubbed);
      expect(JSON.stringify(row)).not.toMatch(/gold|secret|pl"|7654321/);
    }
    expect(await rebuild(true)).toMatchObject({ equal: true });
    const before = await rowOf(gone);
    await rebuild(false);
    expect(await rowOf(gone)).toEqual(before);
    expect(await by.names("")).toEqual(["Stays"]);
    expect((await rowOf(stays)).name).toBe("Stays");
  });

  test("what is asked to be erased is gone before its key is", async () => {
    const by = await partner();
    const id = await by.create({ name: "Soon gone" });
    await by.append(id, "ContactErasureRequested", {
      contact_id: id,
      erasure_id: "ers_1",
      requested_at: new Date().toISOString(),
    });
    expect(await by.names("")).toEqual([]);
    expect(await rowOf(id)).toMatchObject({ name: null, search: "", erased: true });
  });
});
