import { loosely, until } from "@heliograph/testkit";
import { newId, streamOf } from "@heliograph/contracts";
import { runConsumer } from "@heliograph/runtime";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { expectListedAsRead } from "./template-lists.ts";

let world: World;
let partner: { id: string; key: string };
let projector: Awaited<ReturnType<typeof runConsumer>>;
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
  const { sandbox } = world.platform.contexts;
  const [lists] = services.find(({ name }) => name === "templates")!.consumers!(sandbox);
  projector = await runConsumer(lists!, sandbox);
});
afterAll(async () => {
  await projector.stop();
  await world.close();
});

const call = (
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  key = partner.key,
) =>
  world.call(method, `/api/v1/templates${path}`, {
    key,
    headers,
    ...(body !== undefined && { body }),
  });
const order = (slug: string, rest: object = {}) => ({
  slug,
  channel: "whatsapp",
  languages: { en: { text: "Hello {{name}}, order {{order_id}}" } },
  variables: { name: { type: "string" }, order_id: { type: "string", example: "TR-1" } },
  ...rest,
});
const create = (slug: string, rest: object = {}) => call("POST", "", order(slug, rest));

describe("a template", () => {
  test("is there by id and slug, and a send uses it at once", async () => {
    const { status, body } = await create("hello");
    expect(status).toBe(201);
    expect(body).toMatchObject({ slug: "hello", version: 1, default_language: "en" });
    expect((await call("GET", "/hello")).body).toEqual(body);
    expect((await call("GET", `/${body.id}`)).body).toEqual(body);
    const sent = await world.call("POST", "/api/v1/messages", {
      key: partner.key,
      body: {
        channel: "whatsapp",
        to: "+15551230001",
        template: "hello",
        variables: { name: "Ada", order_id: "7" },
      },
    });
    expect(sent.status).toBe(202);
  });

  test("of a slug that is taken is a conflict on that channel only", async () => {
    const { body } = await create("twice");
    const again = await create("twice");
    expect([again.status, again.body.id]).toEqual([409, body.id]);
    expect((await create("twice", { channel: "sms" })).status).toBe(201);
    expect((await call("GET", "/twice")).status).toBe(409);
    expect((await call("GET", "/twice?channel=sms")).body.channel).toBe("sms");
  });

  test("gets versions, each still there by its number", async () => {
    await create("versions");
    const added = await call("POST", "/versions/versions", {
      languages: { en: { text: "Hi {{name}}" }, de: { text: "Hallo {{name}}" } },
      variables: { name: { type: "string" } },
    });
    expect([added.status, added.body.version]).toEqual([201, 2]);
    expect((await call("GET", "/versions")).body).toMatchObject({ version: 2 });
    expect((await call("GET", "/versions/versions/1")).body.languages.en.text).toContain("Hello");
    expect((await call("GET", "/versions/versions/3")).status).toBe(404);
    expect((await call("GET", "/versions/versions/x")).status).toBe(404);
    const seen = { "if-match": (await call("GET", "/versions")).headers.get("etag")! };
    const changed = await call("PATCH", "/versions", { languages: { DE: null } }, seen);
    expect(changed.body).toMatchObject({ version: 3, languages: { en: { text: "Hi {{name}}" } } });
    expect((await call("PATCH", "/versions", { variables: {} }, seen)).status).toBe(412);
    const said = { languages: { EN: { text: "Hi {{name}}" }, de: null }, variables: {} };
    expect((await call("PATCH", "/versions", said)).body).toEqual(changed.body);
    expect((await call("PATCH", "/versions", { description: "x" })).body.description).toBe("x");
  });

  test("is listed as it is read where a process of before adds a version that says less", () =>
    expectListedAsRead(world, call));

  test("version is added once for an idempotency key", async () => {
    const { id } = (await create("once")).body;
    const headers = { "idempotency-key": newId("req") };
    const body = { languages: { en: { text: "Hi" } } };
    const first = await call("POST", "/once/versions", body, headers);
    const again = await call("POST", "/once/versions", body, headers);
    expect(again.text).toBe(first.text);
    const { log } = world.platform.contexts.sandbox;
    expect(await log.readStream(streamOf("template", id))).toHaveLength(2);
  });

  test("is read by one or two of its events, however many versions there are", async () => {
    const { log } = world.platform.contexts.sandbox;
    await create("long");
    const add = (number: number, headers: Record<string, string> = {}) =>
      call(
        "POST",
        "/long/versions",
        { languages: { en: { text: `Version ${number}` } }, variables: {} },
        headers,
      );
    const keyed = { "idempotency-key": newId("req") };
    await add(2, keyed);
    let position = "";
    for (let number = 3; number <= 12; number++)
      position = (await add(number)).headers.get("log-position")!;
    await call("GET", "", undefined, { "min-log-position": position });

    const { forPartner } = log;
    let events = 0;
    // What requests read is read for their partner.
    log.forPartner = (id) => {
      const own = forPartner(id);
      const readStream = async (...given: Parameters<typeof own.readStream>) => {
        const found = await own.readStream(...given);
        events += found.length;
        return found;
      };
      const readStreams = async (...given: Parameters<typeof own.readStreams>) => {
        const found = await own.readStreams(...given);
        events += [...found.values()].flat().length;
        return found;
      };
      return { ...own, readStream: loosely(readStream), readStreams: loosely(readStreams) };
    };
    const cost = async <Answer>(run: () => Promise<Answer>): Promise<[Answer, number]> => {
      events = 0;
      return [await run(), events];
    };
    const message = { channel: "whatsapp", to: "+15551230001" };
    const send = (template: unknown) => () =>
      world.call("POST", "/api/v1/messages?dry_run=true", {
        key: partner.key,
        body: { ...message, template },
      });
    try {
      const [newest, forNewest] = await cost(() => call("GET", "/long"));
      expect([newest.body.version, forNewest]).toEqual([12, 2]);
      const [third, forThird] = await cost(() => call("GET", "/long/versions/3"));
      expect([third.body.languages.en.text, forThird]).toEqual(["Version 3", 3]);
      const [preview, forPreview] = await cost(() => call("POST", "/long/preview", {}));
      expect([preview.body.text, forPreview]).toEqual(["Version 12", 2]);
      const [, forSend] = await cost(send("long"));
      expect(forSend).toBe(2);
      const [, forNext] = await cost(send("long"));
      expect(forNext, "the second send from memory").toBe(0);
      const [old, forOld] = await cost(send({ slug: "long", version: 5 }));
      expect([old.body.segments.characters, forOld]).toEqual(["Version 5".length, 3]);
      const forgotten = () => call("POST", "/long/versions", { languages: {} });
      expect((await cost(forgotten))[1], "a refused version").toBe(0);
      // As after the 25 hours in which the answer itself is kept.
      await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
      const [again, forAgain] = await cost(() => add(2, keyed));
      expect([again.body.version, forAgain]).toEqual([2, 3]);
    } finally {
      log.forPartner = forPartner;
    }
  });

  test("has no version by a number that is none", async () => {
    await create("numbers");
    for (const version of ["0", "01", "1e0", "0x1", "501", "3000000000"])
      expect((await call("GET", `/numbers/versions/${version}`)).status, version).toBe(404);
    const pinned = await world.call("POST", "/api/v1/messages", {
      key: partner.key,
      body: {
        channel: "whatsapp",
        to: "+15551230001",
        template: { slug: "numbers", version: 3_000_000_000 },
        variables: { name: "A", order_id: "1" },
      },
    });
    expect(pinned.body.code).toBe("template_not_found");
  });

  test("is listed newest first, page by page in both directions", async () => {
    const lister = await world.addPartner();
    let last = "";
    for (const slug of ["a", "b", "c", "d", "e"]) {
      const { headers } = await call("POST", "", order(slug), {}, lister.key);
      last = headers.get("log-position")!;
    }
    const next = { languages: { en: { text: "Hi" } } };
    const versioned = await call("POST", "/b/versions", next, {}, lister.key);
    last = versioned.headers.get("log-position")!;
    const get = async (query: string) =>
      (await call("GET", query, undefined, { "min-log-position": last }, lister.key)).body;
    const slugs = (page: { data: { slug: string }[] }) =>
      page.data.map(({ slug }) => slug).join("");
    const first = await get("?limit=2");
    expect([slugs(first), first.prev_cursor]).toEqual(["ed", null]);
    const second = await get(`?limit=2&after=${first.next_cursor}`);
    expect(slugs(second)).toBe("cb");
    expect(second.data[1].version).toBe(2);
    const third = await get(`?limit=2&after=${second.next_cursor}`);
    expect([slugs(third), third.next_cursor]).toEqual(["a", null]);
    const back = await get(`?limit=2&before=${third.prev_cursor}`);
    expect(slugs(back)).toBe("cb");
    const start = await get(`?limit=2&before=${back.prev_cursor}`);
    expect([slugs(start), start.prev_cursor]).toEqual(["ed", null]);
    const foreign = await call("GET", `?after=${first.next_cursor}`);
    expect(foreign.status).toBe(422);
  });

  test("is rendered by a preview, without sending", async () => {
    await create("preview");
    const ok = await call("POST", "/preview/preview", { variables: { name: "A", order_id: "1" } });
    expect(ok.body).toEqual({ language: "en", text: "Hello A, order 1" });
  });

  test("is refused by a preview in the words of a send", async () => {
    const { channel } = (await create("refused")).body;
    const variables = { name: "A", order_id: "1" };
    const refused = async (asked: object, version?: number) => {
      const template = { slug: "refused", ...(version !== undefined && { version }) };
      const body = { channel, to: "+15551230001", template, ...asked };
      const previewed = { ...asked, ...(version !== undefined && { version }) };
      const [sent, shown] = await Promise.all([
        world.call("POST", "/api/v1/messages", { key: partner.key, body }),
        call("POST", "/refused/preview", previewed),
      ]);
      const facts = ({ status, body: { code, detail, errors } }: typeof sent) => ({
        status,
        code,
        detail,
        errors: errors.map((error: { path: string }) => ({
          ...error,
          // Each names the field of its own request.
          path: error.path === "template" ? "version" : error.path,
        })),
      });
      expect(facts(shown)).toEqual(facts(sent));
      return [shown.body.code, shown.body.errors[0].path];
    };
    expect(await refused({ variables: { name: "A", colour: "red" } })).toEqual([
      "template_variables_invalid",
      "variables.order_id",
    ]);
    expect(await refused({ variables: { ...variables, name: "A\nB" } })).toEqual([
      "template_variables_invalid",
      "variables.name",
    ]);
    expect(await refused({ language: "fr", variables })).toEqual([
      "template_not_found",
      "language",
    ]);
    expect(await refused({ variables }, 7)).toEqual(["template_not_found", "version"]);
  });

  test("does not exist for another partner or in the other environment", async () => {
    const { id } = (await create("mine")).body;
    const other = await world.addPartner();
    const live = await world.addKey(partner.id, { environment: "live" });
    for (const key of [other.key, live])
      for (const path of [`/${id}`, "/mine", `/${id}/versions/1`])
        expect((await call("GET", path, undefined, {}, key)).status).toBe(404);
  });
});

describe("a deleted template", () => {
  const message = (template: unknown) => ({
    channel: "whatsapp",
    to: "+15551230001",
    template,
    variables: { name: "A", order_id: "1" },
  });
  const send = (template: unknown, more: object = {}) =>
    world.call("POST", "/api/v1/messages", {
      key: partner.key,
      body: { ...message(template), ...more },
    });
  const listed = async (position: string): Promise<readonly string[]> =>
    (await call("GET", "?limit=100", undefined, { "min-log-position": position })).body.data.map(
      ({ id }: { id: string }) => id,
    );

  test("is gone from every read, from sends and from the list, and its past stays", async () => {
    const { body, headers } = await create("gone");
    const path = `/${body.id}`;
    await call("POST", "/gone/versions", { languages: { en: { text: "Hi" } } });
    const made = await create("gone", { channel: "sms" });
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const kept = await send({ slug: "gone", version: 1 }, { send_at: at });
    expect(kept.status).toBe(202);
    expect((await call("DELETE", "/gone")).status, "of two channels").toBe(409);
    const deleted = await call("DELETE", "/gone?channel=whatsapp");
    expect([deleted.status, deleted.text]).toEqual([204, ""]);

    for (const [method, at, given] of [
      ["GET", path],
      ["GET", "/gone?channel=whatsapp"],
      ["GET", `${path}/versions/1`],
      ["GET", `${path}/versions/3`],
      ["POST", `${path}/preview`, {}],
      ["POST", `${path}/versions`, { languages: { en: { text: "Hi" } } }],
      ["DELETE", path],
    ] as const)
      expect((await call(method, at, given)).status, `${method} ${at}`).toBe(404);
    expect((await call("GET", "/gone")).body.id, "the other channel's").toBe(made.body.id);
    await until(async () => (await send("gone")).body.code === "template_not_found");
    expect((await send({ slug: "gone", version: 1 })).body.code).toBe("template_not_found");
    const position = deleted.headers.get("log-position")!;
    const stream = streamOf("message", kept.body.id);
    const [accepted] = await world.platform.contexts.sandbox.log.readStream(stream, { limit: 1 });
    expect(accepted, "keeps its text").toMatchObject({
      data: { content: { text: "Hello A, order 1" } },
    });
    const ids = await listed(position);
    expect([ids.includes(body.id), ids.includes(made.body.id)]).toEqual([false, true]);
    const then = headers.get("log-position")!;
    for (const at of [path, "/gone?channel=whatsapp"]) {
      const past = await call("GET", `${at}${at.includes("?") ? "&" : "?"}as_of=${then}`);
      expect(past.body, at).toEqual(body);
    }
  });

  test("leaves its name to another one, time and again", async () => {
    const ids = new Set<string>();
    let position = "";
    for (let round = 0; round < 6; round++) {
      const text = `Round ${round}`;
      const made = await create("again", { languages: { en: { text } }, variables: {} });
      expect([made.status, made.body.version]).toEqual([201, 1]);
      ids.add(made.body.id);
      expect((await call("GET", "/again")).body.id).toBe(made.body.id);
      expect((await create("again")).status, "taken again").toBe(409);
      expect((await call("POST", "/again/preview", {})).body.text).toBe(text);
      if (round === 5) position = made.headers.get("log-position")!;
      else expect((await call("DELETE", "/again")).status).toBe(204);
    }
    expect(ids.size).toBe(6);
    const last = [...ids].at(-1)!;
    expect((await listed(position)).filter((id) => ids.has(id))).toEqual([last]);
    const sent = await send("again");
    expect(sent.body.code, "its own text has no variables").toBe("template_variables_invalid");
  });

  test("is deleted once for an idempotency key, also where only the log knows, and only as it was seen", async () => {
    const { id } = (await create("keyed")).body;
    const { headers } = await call("GET", "/keyed");
    await call("POST", "/keyed/versions", { languages: { en: { text: "Hi" } } });
    const stale = { "if-match": headers.get("etag")! };
    expect((await call("DELETE", "/keyed", undefined, stale)).status).toBe(412);
    const etag = (await call("GET", "/keyed")).headers.get("etag")!;
    const keyed = { "idempotency-key": newId("req"), "if-match": etag };
    expect((await call("DELETE", "/keyed", undefined, keyed)).status).toBe(204);
    const next = (await create("keyed")).body.id;
    // As after the hours in which the answer itself is kept, or a crash before it was.
    await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
    expect((await call("DELETE", "/keyed", undefined, keyed)).status).toBe(204);
    expect(next).not.toBe(id);
    expect((await call("GET", "/keyed")).body.id).toBe(next);
  });

  test("is not made anew by the request that made it", async () => {
    const keyed = { "idempotency-key": newId("req") };
    expect((await call("POST", "", order("undone"), keyed)).status).toBe(201);
    expect((await call("DELETE", "/undone")).status).toBe(204);
    await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
    expect((await call("POST", "", order("undone"), keyed)).status).toBe(409);
    expect((await call("GET", "/undone")).status).toBe(404);
  });

  test("and created by many at once, is there once at most", async () => {
    const found: number[] = [];
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () => create("raced")),
        ...Array.from({ length: 3 }, () => call("DELETE", "/raced")),
      ]);
      const count = (status: number) => answers.filter((each) => each.status === status).length;
      found.push(count(201) - count(204));
      expect(count(500)).toBe(0);
    }
    const left = (await call("GET", "/raced")).status === 200 ? 1 : 0;
    expect(found.reduce((sum, each) => sum + each)).toBe(left);
  });
});

describe("a refused template", () => {
  const en = (text: string) => ({ languages: { en: { text } }, variables: {} });
  test.each([
    ["an undeclared placeholder", en("Hi {{name}}"), "languages.en.text", "unknown"],
    [
      "an unused variable",
      { ...en("Hi"), variables: { name: { type: "string" } } },
      "variables.name",
      "unused",
    ],
    ["a broken placeholder", en("Hi {{ 1st }}"), "languages.en.text", "invalid_placeholder"],
    ["an unclosed placeholder", en("Hi {{name"), "languages.en.text", "invalid_placeholder"],
    [
      "HTML in a text channel",
      { languages: { en: { text: "a", html: "<p>" } }, variables: {} },
      "languages.en.html",
      "not_allowed",
    ],
    [
      "an e-mail without subject",
      { ...en("a"), channel: "email" },
      "languages.en.subject",
      "required",
    ],
    ["a body without text", { languages: { en: {} }, variables: {} }, "languages.en", "required"],
    [
      "an absent default language",
      { ...en("a"), default_language: "fr" },
      "default_language",
      "not_found",
    ],
    [
      "no default among several",
      { languages: { de: { text: "a" }, fr: { text: "b" } }, variables: {} },
      "default_language",
      "required",
    ],
  ])("names %s", async (_, rest, path, code) => {
    const { status, body } = await create("bad", rest);
    expect(status).toBe(422);
    expect(body.errors).toContainEqual(expect.objectContaining({ path, code }));
  });

  test.each([
    [{ slug: "Has Space" }],
    [{ languages: {} }],
    [{ languages: { english: { text: "a" } } }],
    [{ variables: { "a b": { type: "string" } } }],
    [{ variables: { name: { type: "date" } } }],
    [{ channel: "fax" }],
    [{ nonsense: 1 }],
  ])("has a shape like %j", async (rest) => {
    expect((await create("bad", rest)).status).toBe(422);
  });
});
