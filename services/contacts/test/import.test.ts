import { formatPosition } from "@heliograph/log";
import { runningCells, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { people } from "./people.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run" });
});
afterAll(() => world.close());

const context = () => world.platform.contexts.sandbox;
type Options = {
  readonly query?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

async function partner() {
  const { id, key } = await world.addPartner();
  const send = (text: string | Uint8Array<ArrayBuffer>, options: Options = {}) =>
    world.call("POST", `/api/v1/contact-imports${options.query ?? ""}`, {
      key,
      raw: text,
      headers: { "content-type": options.type ?? "text/csv", ...options.headers },
    });
  const get = (path: string) =>
    (async () => {
      const position = formatPosition(await context().log.head());
      return world.call("GET", `/api/v1${path}`, {
        key,
        headers: { "Min-Log-Position": position },
      });
    })();
  const ended = (importId: string) =>
    until(
      async () => {
        const { body } = await get(`/contact-imports/${importId}`);
        return body.finished_at === null ? undefined : body;
      },
      { timeoutMs: 20_000 },
    );
  return {
    id,
    key,
    send,
    get,
    ended,
    ...people(context(), id),
    async imported(text: string, options: Options = {}) {
      const { status, body } = await send(text, options);
      expect({ status, body }).toMatchObject({ status: 202, body: { status: "queued" } });
      const done = await ended(body.id);
      expect(done.created + done.updated + done.skipped + done.failed).toBe(done.rows);
      return done;
    },
    async list(query = ""): Promise<readonly Record<string, unknown>[]> {
      return (await get(`/contacts${query}`)).body.data;
    },
    async errorsOf(importId: string): Promise<readonly string[]> {
      const { text } = await get(`/contact-imports/${importId}/errors`);
      return text
        .replace(/^\ufeff/, "")
        .trim()
        .split("\r\n")
        .slice(1);
    },
  };
}
const counts = (created: number, updated: number, skipped: number, failed: number) => ({
  status: "done",
  rows: created + updated + skipped + failed,
  created,
  updated,
  skipped,
  failed,
});

describe("an import", () => {
  test("makes the contacts of a file, says how far it is, and leaves nothing of the file", async () => {
    const by = await partner();
    const head = "name,phone,email,language,tags,attribute.plan,external_id.crm\n";
    const done = await by.imported(
      `${head}Ada,+1 (555) 123-4567,Ada@EXAMPLE.com,pl,"vip,new",gold,C-1\nBo,,,,,,C-2\nCy,,,,,,\n`,
    );
    expect(done).toMatchObject({ ...counts(3, 0, 0, 0), errors_url: null, error: null });
    const [, , ada] = await by.list();
    expect(ada).toMatchObject({
      name: "Ada",
      language: "pl",
      tags: ["vip", "new"],
      attributes: { plan: "gold" },
      external_ids: [
        { source: "sms", id: "+15551234567" },
        { source: "email", id: "Ada@example.com" },
        { source: "crm", id: "C-1" },
      ],
    });
    const { pool } = context();
    await until(
      async () => (await pool.query("select from contact_imports.chunks")).rowCount === 0,
    );
    const { rows } = await pool.query(
      "select k.destroyed_at from vault.keys k join contact_imports.imports i on i.upload = k.subject where i.id = $1",
      [done.id],
    );
    expect(rows).toEqual([{ destroyed_at: expect.any(Date) }]);
  });

  test.each([
    ["update", counts(1, 1, 0, 0), "Second"],
    ["skip", counts(1, 0, 1, 0), "First"],
    ["fail", counts(1, 0, 0, 1), "First"],
  ])(
    "knows the uniqueness of the store: one number in two spellings with %s",
    async (on, expected, name) => {
      const by = await partner();
      const text = "name,phone\nFirst,+1 555 123 4567\nSecond,+15551234567\n";
      const done = await by.imported(text, { query: `?on_conflict=${on}` });
      expect(done).toMatchObject(expected);
      expect(await by.list()).toMatchObject([{ name }]);
      if (on === "fail")
        expect(await by.errorsOf(done.id)).toEqual([
          expect.stringMatching(/^3,2,.*external_id_taken/),
        ]);
    },
  );

  test("an empty cell leaves what was there, and takes nothing from the row before", async () => {
    const by = await partner();
    await by.imported("name,email,language\nAda,a@b.example,pl\nBo,b@b.example,\n");
    expect(
      await by.imported("name,email,language\nAda L,a@b.example,\n,b@b.example,de\n"),
    ).toMatchObject(counts(0, 2, 0, 0));
    expect(await by.list()).toMatchObject([
      { name: "Bo", language: "de" },
      { name: "Ada L", language: "pl" },
    ]);
  });

  test("a row fails alone, with its line and its reason", async () => {
    const by = await partner();
    const text = 'name,phone\nAda,4.4791E+11\n"Bo\nB",0444123456\n"",\nCy,+15551234567\n';
    const done = await by.imported(text);
    expect(done).toMatchObject({
      ...counts(1, 0, 0, 3),
      errors_url: expect.stringMatching(/^http.*errors$/),
    });
    expect(await by.errorsOf(done.id)).toEqual([
      expect.stringMatching(/^2,1,sms,invalid_phone/),
      expect.stringMatching(/^3,2,sms,invalid_phone/),
      expect.stringMatching(/^5,3,,required/),
    ]);
    const lines = await by.get(`/contact-imports/${done.id}/errors?format=ndjson`);
    expect(
      lines.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).line),
    ).toEqual([2, 3, 5]);
  });

  test("a row that is no UTF-8 fails with its line, and the others go in", async () => {
    const by = await partner();
    const lines = Array.from({ length: 100 }, (_, index) => Buffer.from(`crm ${index}\n`));
    lines[39] = Buffer.from([0x41, 0x96, 0x0a]);
    const { body } = await by.send(Buffer.concat([Buffer.from("name\n"), ...lines]));
    expect(await by.ended(body.id)).toMatchObject(counts(99, 0, 0, 1));
    expect(await by.errorsOf(body.id)).toEqual([expect.stringMatching(/^41,40,,invalid_encoding/)]);
  });

  test("a file with an unknown column, of nothing, or of another type is refused whole", async () => {
    const by = await partner();
    const refused = await by.send("name|phone\nx|y\n");
    expect(refused).toMatchObject({ status: 422, body: { code: "invalid_request" } });
    expect(refused.body.errors[0]).toMatchObject({ code: "invalid_head" });
    expect((await by.send("name,Shoe Size\nx,y\n")).status).toBe(422);
    expect((await by.send("")).status).toBe(422);
    expect((await by.send("name\nx\n", { type: "text/html" })).status).toBe(415);
    expect((await by.send("name\nx\n", { type: "text/csv; charset=windows-1252" })).status).toBe(
      415,
    );
    expect((await by.send("name\nx\n", { query: "?on_conflict=merge" })).status).toBe(422);
    expect(await by.list()).toEqual([]);
  });

  test("a file that breaks off says where, and what was read before counts", async () => {
    const by = await partner();
    const done = await by.imported('name\nAda\n"never closed\nBo\n');
    expect(done).toMatchObject({ ...counts(1, 0, 0, 0), status: "failed" });
    expect(done.error).toMatch(/^Line 3 or below: a quote/);
  });

  test("two ids of one row that two contacts have fail it, and one that is found by either is updated", async () => {
    const by = await partner();
    await by.imported("name,phone,email\nAda,+15550000001,\nBo,,bo@b.example\n");
    const text =
      "name,phone,email,external_id.crm\nX,+15550000001,bo@b.example,\nBob,,bo@b.example,C-9\nBoby,,,C-9\n";
    const done = await by.imported(text);
    expect(done).toMatchObject(counts(0, 2, 0, 1));
    expect(await by.errorsOf(done.id)).toEqual([expect.stringMatching(/^2,1,,external_id_taken/)]);
    expect(await by.list("?source=crm")).toMatchObject([{ name: "Boby" }]);
  });

  test("a row of an erased contact makes a new one without any old field", async () => {
    const by = await partner();
    await by.imported("name,phone,language\nAda,+15550000001,pl\n");
    const [ada] = await by.list();
    await by.erase(String(ada!["id"]));
    expect(await by.imported("name,phone\nAnn,+15550000001\n")).toMatchObject(counts(1, 0, 0, 0));
    const [ann] = await by.list();
    expect(ann).toMatchObject({ name: "Ann", language: null });
    expect(ann!["id"]).not.toBe(ada!["id"]);
  });

  test("two uploads with one Idempotency-Key are one import, also at once; another file is refused", async () => {
    const by = await partner();
    const headers = { "Idempotency-Key": "import-1" };
    const text = `name\n${Array.from({ length: 600 }, (_, index) => `n ${index}\n`).join("")}`;
    const answers = await Promise.all([by.send(text, { headers }), by.send(text, { headers })]);
    answers.push(await by.send(text, { headers }));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.has("idempotent-replayed"))).toHaveLength(2);
    expect(await by.ended(answers[0]!.body.id)).toMatchObject(counts(600, 0, 0, 0));
    const other = await by.send("name\nother\n", { headers });
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    const { rows } = await context().pool.query(
      "select count(*)::int as imports from contact_imports.imports where partner = $1",
      [by.id],
    );
    expect(rows).toEqual([{ imports: 1 }]);
  });

  test("belongs to its partner and environment", async () => {
    const [one, other] = [await partner(), await partner()];
    const { id } = await one.imported("name\nAda\n");
    const live = await world.addKey(one.id, { environment: "live" });
    for (const key of [other.key, live])
      for (const path of [`/contact-imports/${id}`, `/contact-imports/${id}/errors`])
        expect((await world.call("GET", `/api/v1${path}`, { key })).status).toBe(404);
    const etag = (await one.get(`/contact-imports/${id}`)).headers.get("etag")!;
    const headers = { "If-None-Match": etag };
    const again = await world.call("GET", `/api/v1/contact-imports/${id}`, {
      key: one.key,
      headers,
    });
    expect(again.status).toBe(304);
  });
});

describe("an export", () => {
  const awkward = [
    { name: '=HYPERLINK("http://x")', ids: [["sms", "+15550000001"]] as const },
    { name: "@x", attributes: { plan: "=1+1", age: 3.5, vip: false, since: "2026-01-01" } },
    { name: 'x;"=1+1', attributes: { note: "y;=1+1" } },
    { name: "\ttab first", tags: ["a;b", "c,d", "=x"] },
    { name: "'=quoted", language: "pt-BR" },
    {
      name: 'line\r\nbreak, "quotes"',
      ids: [
        ["crm", "C-1"],
        ["email", "a@b.example"],
        ["email", "c@b.example"],
      ] as const,
    },
    { name: "  blanks  " },
    { name: "Zażółć 用户" },
  ];
  const shown = (contacts: readonly Record<string, unknown>[]) =>
    contacts
      .map(({ name, language, time_zone, attributes, tags, external_ids }) => ({
        name,
        language,
        time_zone,
        attributes,
        tags,
        external_ids: (external_ids as { source: string; id: string }[])
          .map(({ source, id }) => `${source} ${id}`)
          .sort(),
      }))
      .sort((left, right) => String(left.name).localeCompare(String(right.name)));

  test.each(["csv", "ndjson"])(
    "as %s runs as no formula and is read back as it was",
    async (format) => {
      const [by, into] = [await partner(), await partner()];
      for (const person of awkward) await by.create(person);
      const gone = await by.create({ name: "Gone" });
      await by.erase(gone);
      const { text, headers } = await by.get(`/contacts/export?format=${format}`);
      expect(headers.get("content-disposition")).toContain(`contacts.${format}`);
      expect(text).not.toContain("Gone");
      if (format === "csv") expect(runningCells(text)).toEqual([]);
      const done = await into.imported(text, {
        type: format === "csv" ? "text/csv" : "application/x-ndjson",
      });
      expect(done).toMatchObject(counts(awkward.length, 0, 0, 0));
      expect(shown(await into.list())).toEqual(shown(await by.list()));
    },
  );

  test("of more than a page has everybody once, oldest first", async () => {
    const by = await partner();
    const names = Array.from({ length: 1_203 }, (_, index) => `n${index}`);
    await by.imported(`name\n${names.join("\n")}\n`);
    const { text } = await by.get("/contacts/export?format=ndjson");
    const found = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).name as string);
    expect(found.toSorted()).toEqual(names.toSorted());
  });
});
