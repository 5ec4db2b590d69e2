import { loosely, until } from "@heliograph/testkit";
import { newId, streamOf } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { services } from "../src/index.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const post = (path: string, body: object) =>
  world.call("POST", `/api/v1${path}`, { key: partner.key, body });
const sms = { channel: "sms", to: "+15551234567" };
const email = { channel: "email", to: "ada@example.com", subject: "s", text: "x" };
const send = (body: object) => post("/messages", body);
const request = async (id: string) =>
  (await world.platform.contexts.sandbox.log.readStream(streamOf("message", id)))[0]!.data;
const template = (channel: string, body: object, variables: object = {}, rest: object = {}) =>
  post("/templates", {
    slug: newId("tpl").toLowerCase(),
    channel,
    languages: { en: body },
    variables,
    ...rest,
  });

describe("a push", () => {
  const push = {
    data: { order: "204821" },
    badge: 2,
    sound: "default",
    channel_id: "orders",
    collapse_key: "o1",
  };
  const body = { channel: "push", to: "dev_1", text: "It is here" };

  test("keeps what its application is told and how it is shown, also as a further step", async () => {
    const step = { channel: "push", to: "dev_2", push, on: ["failed"] };
    const [plain, later] = [
      await send({ ...body, push }),
      await send({ ...sms, text: "It is here", failover: [step] }),
    ];
    expect([plain.status, later.status]).toEqual([202, 202]);
    const { content } = loosely(await request(plain.body.id));
    expect(content.push).toEqual(push);
    const { failover } = loosely(await request(later.body.id));
    expect(failover[0].content.push).toMatchObject({ badge: 2, collapse_key: "o1" });
    const shown = await until(async () => {
      const path = `/api/v1/messages/${plain.body.id}`;
      const { status, body: message } = await world.call("GET", path, { key: partner.key });
      return status === 200 && message;
    });
    expect(shown.content).toEqual({ text: "It is here", push });
  });

  test.each([
    [{ push: { data: { google_id: "1" } } }, "push.data.google_id", "reserved"],
    [{ push: { data: { order: "x".repeat(1_990), more: "x".repeat(1_990) } } }, "push", "too_long"],
    [{ push: { collapse_key: "a b" } }, "push.collapse_key", "invalid_format"],
    [{ ...sms, text: "x", push: { badge: 1 } }, "push", "not_allowed"],
  ])("%j is refused at %s", async (more, path, code) => {
    const { status, body: refused } = await send({ ...body, ...more });
    expect([status, refused.errors]).toEqual([422, [expect.objectContaining({ path, code })]]);
    if ("channel" in more) return;
    const step = { ...more, channel: "push", to: "dev_1", on: ["failed"] };
    const later = await send({ ...sms, text: "x", failover: [step] });
    expect(later.body.errors[0].path).toBe(`failover.0.${path}`);
  });

  test.each([{ data: { order: 7 } }, { badge: -1 }, { badge: 1.5 }, { sound: "" }, { title: "x" }])(
    "%j has no such options",
    async (wrong) => {
      const { status, body: refused } = await send({ ...body, push: wrong });
      expect([status, refused.errors[0].path.startsWith("push")]).toEqual([422, true]);
    },
  );
});

describe("what is validated is what is stored and sent", () => {
  test.each([
    ["to", "Ada@EXAMPLE.com", "Ada@example.com"],
    ["to", "ada@münchen.example", "ada@xn--mnchen-3ya.example"],
    ["from", "me@münchen.example", "me@xn--mnchen-3ya.example"],
    ["from", "Heliograph <Shop@Example.org>", "Heliograph <Shop@example.org>"],
    ["from", '"Shop, Berlin" <shop@example.org>', '"Shop, Berlin" <shop@example.org>'],
    ["reply_to", "<help@Example.org>", "help@example.org"],
    ["unsubscribe_url", "https://EXAMPLE.org", "https://example.org/"],
  ])("%s %s", async (field, written, stored) => {
    const { status, body } = await send({ ...email, [field]: written });
    expect(status).toBe(202);
    expect(loosely(await request(body.id))[field]).toBe(stored);
  });

  test.each([
    ["to", "user@example.com/path", "invalid_email"],
    ["to", "user@example.com\u200b", "invalid_email"],
    ["from", "me@example.com/x", "invalid_sender"],
    ["from", "a@b.example, c@d.example", "invalid_sender"],
    ["from", "Eve\r\nBcc: x <eve@example.com>", "invalid_sender"],
    ["reply_to", "help", "invalid_email"],
    ["unsubscribe_url", "http://example.org/", "invalid_url"],
  ])("%s %j is refused with its code", async (path, written, code) => {
    const { status, body } = await send({ ...email, [path]: written });
    expect([status, body.errors]).toEqual([422, [expect.objectContaining({ path, code })]]);
  });

  test("numbers keep their digits, also those of an older plan", async () => {
    for (const to of ["+5215512345678", "+5422851589822", "+5422851245923"])
      expect((await send({ ...sms, to, text: "x" })).body.to).toBe(to);
  });

  test("only mail has an address for answers", async () => {
    const { body } = await send({ ...sms, text: "x", reply_to: "help@example.org" });
    expect(body.errors).toEqual([
      { path: "reply_to", code: "not_allowed", message: "an SMS has none" },
    ]);
  });

  test("a recipient who opted out is refused with a tag as well", async () => {
    for (const to of ["suppressed@example.com", "Suppressed+1@example.com"])
      expect((await send({ ...email, to })).body.code).toBe("recipient_suppressed");
  });

  test("a filter by recipient that is no address is refused, not answered with nothing", async () => {
    const { status, body } = await world.call("GET", "/api/v1/messages?to=Ada", {
      key: partner.key,
    });
    expect([status, body.errors[0].path]).toEqual([422, "to"]);
  });
});

describe("limits hold for what is sent", () => {
  const optional = { a: { type: "string", required: false, max_length: 4_096 } };
  test.each([
    ["an empty SMS", "sms", { text: "{{a}}" }, {}, "text"],
    ["a blank SMS", "sms", { text: "{{a}}" }, { a: " \n" }, "text"],
    ["a long SMS", "sms", { text: "{{a}}{{a}}" }, { a: "x".repeat(801) }, "text"],
    ["a mail without subject", "email", { subject: "{{a}}", text: "x" }, {}, "subject"],
    [
      "a mail with a long subject",
      "email",
      { subject: "{{a}}", text: "x" },
      { a: "x y ".repeat(375) },
      "subject",
    ],
    [
      "a mail that grew",
      "email",
      { subject: "s", html: "{{a}}".repeat(60) },
      { a: "x".repeat(4_096) },
      "html",
    ],
  ])("%s is refused after rendering", async (_, channel, body, variables, path) => {
    const { body: made } = await template(channel, body, optional);
    const { to } = channel === "sms" ? sms : email;
    const { status, body: refused } = await send({ channel, to, template: made.slug, variables });
    expect([status, refused.errors?.[0]?.path]).toEqual([422, path]);
  });

  test("a mail that fits its limits but no event is refused in words", async () => {
    // Six bytes of JSON each, in a batch, whose items may be larger than a request.
    const html = "\u0001".repeat(190_000);
    const { body } = await post("/messages/batch", { messages: [{ ...email, html }, email] });
    expect(body.data.map((item: { status_code: number }) => item.status_code)).toEqual([422, 202]);
    expect(body.data[0].error.errors[0]).toMatchObject({ path: "html", code: "too_long" });
  });

  test("characters are code points, given and rendered", async () => {
    const dry = (body: object) => post("/messages?dry_run=true", body);
    const whatsapp = { channel: "whatsapp", to: sms.to };
    const { status, body } = await dry({ ...whatsapp, text: "😀".repeat(4_096) });
    expect([status, body.segments?.characters]).toEqual([202, 4_096]);
    expect((await dry({ ...whatsapp, text: "😀".repeat(4_097) })).status).toBe(422);
    const { body: made } = await template(
      "whatsapp",
      { text: "{{a}}" },
      {
        a: { type: "string", max_length: 5 },
      },
    );
    const fill = (a: string) => dry({ ...whatsapp, template: made.slug, variables: { a } });
    expect((await fill("😀".repeat(5))).status).toBe(202);
    expect((await fill("😀".repeat(6))).body.code).toBe("template_variables_invalid");
    // Fits, and Meta takes no such value.
    const { status: refused, body: told } = await fill("a\nb");
    expect([refused, told.errors?.[0]]).toMatchObject([
      422,
      { path: "variables.a", code: "line_break" },
    ]);
  });

  test("a subject leaves room for its name on the line", async () => {
    expect((await send({ ...email, subject: "x".repeat(989) })).status).toBe(202);
    expect((await send({ ...email, subject: "x".repeat(990) })).status).toBe(422);
  });
});

describe("a template", () => {
  test("has each language once, in one form, and is found by any spelling", async () => {
    const { body } = await template(
      "sms",
      { text: "hello" },
      {},
      {
        default_language: "EN",
        languages: { en: { text: "hello" }, pt_br: { text: "ola" } },
      },
    );
    expect(Object.keys(body.languages)).toEqual(["en", "pt-BR"]);
    expect(body.default_language).toBe("en");
    for (const language of ["pt-br", "pt_BR", "PT-BR"]) {
      const preview = await post(`/templates/${body.slug}/preview`, { language });
      expect(preview.body).toMatchObject({ language: "pt-BR", text: "ola" });
      const { body: sent } = await send({
        ...sms,
        template: { slug: body.slug, on_missing_language: "default" },
        language,
      });
      expect(loosely(await request(sent.id)).content).toMatchObject({
        text: "ola",
        template: { language: "pt-BR" },
      });
    }
    const twice = await template(
      "sms",
      { text: "a" },
      {},
      {
        languages: { "pt-BR": { text: "a" }, pt_BR: { text: "b" } },
      },
    );
    expect(twice.body.errors).toEqual([
      { path: "languages.pt_BR", code: "duplicate", message: expect.any(String) },
    ]);
  });

  test("shows numbers as people write them", async () => {
    const { body } = await template(
      "sms",
      { text: "Pay {{amount}}" },
      {
        amount: { type: "number" },
      },
    );
    const preview = await post(`/templates/${body.slug}/preview`, {
      variables: { amount: 0.0000001 },
    });
    expect(preview.body.text).toBe("Pay 0.0000001");
  });

  test.each(["{{{name}}}", "{{{name}}", "{{name}} {{", "{{ {{name}}"])(
    "with stray braces is refused: %s",
    async (text) => {
      const { status, body } = await template("sms", { text }, { name: { type: "string" } });
      expect(status).toBe(422);
      expect(body.errors).toContainEqual(
        expect.objectContaining({ path: "languages.en.text", code: "invalid_placeholder" }),
      );
    },
  );

  test("may hold braces that are not its own", async () => {
    const html = "<style>@media print{a{color:{{c}}}}</style><p>{ {{c}} }</p>";
    const { status } = await template("email", { subject: "s", html }, { c: { type: "string" } });
    expect(status).toBe(201);
  });
});

describe("a message to a contact", () => {
  const contact = async (...external_ids: object[]): Promise<string> =>
    (await post("/contacts", { external_ids })).body.id;
  const to = (contact_id: string, more: object = {}) =>
    send({ channel: "sms", text: "Hello", contact_id, ...more });

  test("goes to the address that it was given last on the channel, also as a step of its own and after a merge", async () => {
    const id = await contact({ source: "sms", id: "+15551300021" });
    const mail = { source: "email", id: "ada@example.com" };
    await post(`/contacts/${id}/external-ids`, mail);
    await post(`/contacts/${id}/external-ids`, { source: "sms", id: "+15551300022" });
    const step = { channel: "email", subject: "s", text: "x", on: ["failed"] };
    const sent = await to(id, { failover: [step] });
    expect([sent.status, sent.body.to]).toEqual([202, "+15551300022"]);
    const { body: shown } = await world.call("GET", `/api/v1/messages/${sent.body.id}`, {
      key: partner.key,
    });
    expect([shown.to, shown.failover[1].to]).toEqual(["+15551300022", "ada@example.com"]);
    const other = await contact({ source: "crm", id: "C-21" });
    expect((await post(`/contacts/${id}/merge`, { into: other })).status).toBe(200);
    expect((await to(id)).body.to).toBe("+15551300022");
    expect(
      (
        await post("/messages/batch", {
          messages: [{ channel: "sms", text: "x", contact_id: other }],
        })
      ).body.data[0].message.to,
    ).toBe("+15551300022");
  });

  test("is sealed as a reply is, so that erasing the contact stops what waits for it and forgets what was written", async () => {
    const id = await contact({ source: "sms", id: "+15551300025" });
    const sent = await to(id, { text: "Only for you" });
    const shown = await world.call("GET", `/api/v1/messages/${sent.body.id}`, { key: partner.key });
    expect(shown.body).toMatchObject({ to: "+15551300025", content: { text: "Only for you" } });
    expect(JSON.stringify(await request(sent.body.id))).not.toMatch(/Only for you|15551300025/);
    const plain = await send({ ...sms, text: "For whoever has the number" });
    expect(JSON.stringify(await request(plain.body.id))).toContain("For whoever has the number");
  });

  test("is refused where there is no such contact, none any more, or no address of it", async () => {
    const id = await contact({ source: "crm", id: "C-22" });
    const stranger = await world.addPartner();
    const erased = await contact({ source: "sms", id: "+15551300023" });
    await world.call("DELETE", `/api/v1/contacts/${erased}`, { key: partner.key });
    const theirs = await world.call("POST", "/api/v1/contacts", {
      key: stranger.key,
      body: { external_ids: [{ source: "sms", id: "+15551300024" }] },
    });
    for (const [contact_id, code] of [
      [id, "no_address"],
      [erased, "contact_erased"],
      [theirs.body.id, "not_found"],
      [newId("cnt"), "not_found"],
      ["Ada", "not_found"],
    ]) {
      const { status, body } = await to(contact_id);
      expect([status, body.code], code).toEqual([422, "invalid_request"]);
      expect(body.errors).toMatchObject([{ path: "contact_id", code }]);
    }
    const { status, body } = await send({ channel: "sms", text: "Hello" });
    expect([status, body.errors[0]]).toMatchObject([422, { path: "to", code: "required" }]);
  });
});
