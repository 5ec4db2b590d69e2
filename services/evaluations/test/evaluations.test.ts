import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { LogUnavailable } from "@heliograph/log";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { keyIn, linkIn, openScene, pressIn, type Scene, unfit } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const open = (method: string, path: string, form?: string) => scene.open(method, path, form);

test("a visitor gets a sandbox, its key once by a link that only the button spends, and the team takes the contact by its own", async () => {
  await scene.manage("PUT", "/rota", { contacts: ["Ann <ann@example.org>", "bob@example.org"] });
  const { id, email } = await scene.ask({ company: "Flow Ltd" });
  const welcome = await scene.mailTo(email);
  expect(welcome.text).toContain("Your technical contact is Ann\n<ann@example.org>.");
  expect(welcome.raw).toMatch(/^From: Heliograph <team@example.org>\r$/m);
  const link = linkIn(welcome.text);

  // A scanner of mail: none of this spends the link.
  for (const method of ["HEAD", "GET", "GET"]) {
    const page = await open(method, link);
    expect(page.status).toBe(200);
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    expect(page.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; form-action 'self'/,
    );
    expect(page.text).not.toContain("ak_test_");
  }
  // A program that posts whatever form it finds, without what the page holds, presses nothing.
  expect((await open("POST", link, "")).text).toContain("<button>Show the key");
  const [one, other] = [
    pressIn((await open("GET", link)).text),
    pressIn((await open("GET", link)).text),
  ];
  const both = await Promise.all([open("POST", link, one), open("POST", link, other)]);
  expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 410]));
  const key = keyIn(both.map(({ text }) => text).join());
  expect((await open("POST", link, `press=${"x".repeat(24)}`)).status).toBe(410);
  expect((await open("GET", link)).status).toBe(410);
  const balance = await scene.world.call("GET", "/api/v1/balance", { key });
  expect(balance.body).toMatchObject({ available: "1200" });
  const own = await scene.world.call("GET", "/api/v1/keys", { key });
  expect(own.body.data).toMatchObject([{ name: "evaluation", environment: "sandbox" }]);
  // The key stands in no event and no table.
  const { platformLog, platformPool } = scene.world.platform;
  const { events } = await platformLog.readAll({ after: 0n, limit: 1_000 });
  expect(JSON.stringify(events.map(({ data, metadata }) => ({ data, metadata })))).not.toContain(
    key,
  );
  const { rows } = await platformPool.query("select * from evaluation_desk.access");
  expect(JSON.stringify(rows)).not.toContain(link.split("/").at(-1));

  const message = await scene.toldOf("Flow Ltd");
  expect(message.text).toContain("Contact: Ann");
  const take = linkIn(message.text);
  expect(JSON.stringify(message.blocks)).toContain(take);
  expect((await open("GET", take)).text).toContain('<option value="ann@example.org" selected>');
  const stranger = "contact=mallory%40example.net";
  expect((await open("POST", take, stranger)).status).toBe(422);
  const elsewhere =
    "contact=bob%40example.org&slack_invite_url=https%3A%2F%2Fslack.com.evil.example%2F";
  expect((await open("POST", take, elsewhere)).status).toBe(422);
  const form =
    "contact=bob%40example.org&slack_invite_url=https%3A%2F%2Fjoin.slack.com%2Fshare%2Fx";
  const taken = await Promise.all([open("POST", take, form), open("POST", take, form)]);
  expect(new Set(taken.map(({ status }) => status))).toEqual(new Set([200, 410]));
  expect((await open("GET", take)).text).toContain("bob@example.org");
  const introduction = await scene.mailTo(email, 2);
  expect(introduction.text).toContain("bob@example.org");
  expect(introduction.text).toContain("https://join.slack.com/share/x");
  expect(scene.mails(email)).toHaveLength(2);

  const shown = await until(async () => {
    const { body } = await scene.manage("GET", `/${id}`);
    return body.key_shown_at !== null && body;
  });
  expect(shown).toMatchObject({
    status: "contacted",
    company: "Flow Ltd",
    email,
    contact: { email: "bob@example.org", agent_id: null },
    slack_invite_url: "https://join.slack.com/share/x",
    notes: [],
  });
});

test("a double click, an answer that got lost and a directory that is late all show the key that the press made, for a minute", async () => {
  const { email } = await scene.ask();
  const link = linkIn((await scene.mailTo(email)).text);
  const form = pressIn((await open("GET", link)).text);
  const { platformLog, directory } = scene.world.platform;
  const append = platformLog.append.bind(platformLog);
  const lost = vi.spyOn(platformLog, "append").mockImplementationOnce(async (appends) => {
    await append(appends);
    throw new LogUnavailable("the answer of the commit was lost");
  });
  const late = vi.spyOn(directory, "caughtUp").mockRejectedValue(new Error("late"));
  const unsure = await open("POST", link, form);
  expect([unsure.status, pressIn(unsure.text)]).toEqual([503, form]);
  const clicks = await Promise.all([1, 2].map(() => open("POST", link, form)));
  for (const { status, text } of clicks) {
    expect(status).toBe(200);
    expect(text).toContain("It works within seconds.");
  }
  lost.mockRestore();
  late.mockRestore();
  const key = keyIn(clicks[0]!.text);
  const again = await open("POST", link, form);
  expect([keyIn(clicks[1]!.text), keyIn(again.text)]).toEqual([key, key]);
  expect(again.text).not.toContain("within seconds");
  expect((await scene.world.call("GET", "/api/v1/balance", { key })).status).toBe(200);
  const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
  const tooLate = await open("POST", link, form).finally(() => now.mockRestore());
  expect(tooLate.status).toBe(410);
});

test("what a visitor wrote of a person stands sealed in the log and in the list", async () => {
  const { id, email } = await scene.ask();
  const { platformLog, platformPool } = scene.world.platform;
  const stored = JSON.stringify(
    (await platformLog.readStream(streamOf("evaluation", id))).map(({ data, metadata }) => [
      data,
      metadata,
    ]),
  );
  await until(async () => (await scene.manage("GET", "?limit=1")).body.data[0]?.id === id);
  const { rows } = await platformPool.query("select data::text from evaluations.evaluations");
  for (const secret of [email, "Eve Example", "Order confirmations"])
    expect(stored + JSON.stringify(rows)).not.toContain(secret);
});

test("what is no plain name, address, text or website is refused by its field, and changes nothing", async () => {
  const requests = async () =>
    (
      await scene.world.platform.platformLog.readAll({
        after: 0n,
        limit: 1_000,
        types: ["EvaluationRequested"],
      })
    ).events.length;
  const before = await requests();
  for (const [field, value] of unfit) {
    const { status, body } = await scene.post({ [field]: value });
    expect([status, body.errors?.[0].path, value]).toEqual([422, field, value]);
  }
  expect(await requests()).toBe(before);
});

test("text of several lines, two links, and names of any script are taken as they are written", async () => {
  const body = {
    company: "株式会社 Acme & Søn",
    name: "عائشة",
    email: "Eve.Two@Bücher.example",
    use_case: "First\r\n\thttps://a.example\nhttps://b.example",
    website: "https://acme.example/?a=1&b=2",
    expected_volume: 50_000,
  };
  const { body: made } = await scene.post(body);
  const { body: shown } = await scene.manage("GET", `/${made.id}`);
  expect(shown).toMatchObject({
    ...body,
    email: "Eve.Two@xn--bcher-kva.example",
    expected_volume: "50000",
  });
});

test("whoever asks, the answer is the same, and a second request of one address makes no second tenant: mail has another link to the first", async () => {
  const { key: partnerKey } = await scene.world.addPartner();
  await scene.world.call("POST", "/api/v1/agents", {
    key: partnerKey,
    body: {
      name: "Ann",
      email: "agent@example.com",
      role: "owner",
      password: "correct horse battery",
    },
  });
  const { id: first, email } = await scene.ask({ company: "Twice Ltd" });
  await scene.mailTo(email);
  const answers = await Promise.all(
    [
      email.toUpperCase().replace("@EXAMPLE.COM", "@example.com"),
      "agent@example.com",
      "new@example.com",
    ].map((address) => scene.post({ email: address, company: "Twice Ltd" })),
  );
  for (const { status, body, headers } of answers) {
    expect(status).toBe(202);
    expect(body).toEqual({ id: expect.stringMatching(/^evl_/), status: "requested" });
    expect([...headers.keys()]).toEqual([...answers[2]!.headers.keys()]);
  }
  expect(new Set([first, ...answers.map(({ body }) => body.id)]).size).toBe(4);
  const second = await until(async () => {
    const { body } = await scene.manage("GET", `/${answers[0]!.body.id}`);
    return body.status === "closed" && body;
  });
  expect(second).toMatchObject({ duplicate_of: first, partner_id: null });
  await scene.mailTo("new@example.com");
  expect((await scene.mailTo("agent@example.com")).text).toContain("Your sandbox is there");
  const mail = await until(() =>
    scene.mails().find(({ text }) => text.includes("You have asked for a sandbox before")),
  );
  const { partner_id } = (await scene.manage("GET", `/${first}`)).body;
  const key = await scene.fetchKey(linkIn(mail.text));
  const keys = scene.world.platform.directory.keysOf(partner_id);
  expect(keys.map(({ prefix }) => key.startsWith(prefix))).toEqual([true]);
  // The team hears of the three that are something new.
  expect(scene.told().filter(({ text }) => text.includes("Twice Ltd"))).toHaveLength(3);
});

test("an idempotency key makes one evaluation of an address, and tells another body; strangers' keys are their own", async () => {
  const [headers, body] = [{ "idempotency-key": "demo" }, { email: "key@example.com" }];
  const both = await Promise.all([scene.post(body, headers), scene.post(body, headers)]);
  const marks = new Set(both.map((each) => each.headers.get("idempotent-replayed")));
  expect([both[0]!.body, marks]).toEqual([both[1]!.body, new Set([null, "true"])]);
  const other = await scene.post({ ...body, company: "Other" }, headers);
  expect([other.status, other.body.code]).toEqual([422, "idempotency_key_reused"]);
  const stranger = await scene.post({ email: "stranger@example.com" }, headers);
  expect(stranger.body.id).not.toBe(both[0]!.body.id);
});

test("a form is taken from 3 seconds to 2 hours after it was rendered, once, with its hidden field empty, and says what a person can do", async () => {
  const send = async (form: object, more: object = {}) => {
    const { status, body } = await scene.post({ email: "form@example.com", form, ...more });
    return [status, body.errors?.[0].path, body.errors?.[0].code, body.id] as const;
  };
  const rendered = await scene.world.call("GET", "/api/v1/evaluations/form");
  expect(rendered.headers.get("cache-control")).toBe("no-store");
  const { token, usable_at } = rendered.body;
  expect((await send({ token })).slice(0, 3)).toEqual([422, "form.token", "too_early"]);
  const early = scene.form(2_000);
  expect((await send(early)).slice(0, 3)).toEqual([422, "form.token", "too_early"]);
  expect((await send(scene.form(7_201_000)))[2]).toBe("expired");
  const good = scene.form(3_000);
  for (const spoilt of ["", token.replace(/.$/, "="), `${good.token.slice(0, -1)}!`, `0${token}`])
    expect((await send({ token: spoilt })).slice(0, 3)).toEqual([
      422,
      "form.token",
      "invalid_value",
    ]);
  const caught = await send({ ...good, left_empty: "https://spam.example" });
  expect(caught.slice(0, 3)).toEqual([422, "form.left_empty", "not_empty"]);
  // A person clears it; a double click is one evaluation, and Back with other words says so.
  const both = await Promise.all([
    send({ ...good, left_empty: "" }),
    send({ ...good, left_empty: "" }),
  ]);
  expect(both.map(([status]) => status)).toEqual([202, 202]);
  expect(both[0]![3]).toBe(both[1]![3]);
  const again = await send({ ...good, left_empty: "" }, { company: "Other" });
  expect(again.slice(0, 3)).toEqual([422, "form.token", "used"]);
  expect(Date.parse(usable_at)).toBeLessThanOrEqual(Date.now() + 3_000);
});

test("requests are limited by place and block, and a network that uses up what there is for all takes no other's", async () => {
  const { platformPool } = scene.world.platform;
  const forget = () => platformPool.query("delete from credentials.limits");
  const from = async (ip: string, email = `p${Math.random()}@example.com`) =>
    (await scene.post({ email }, { "x-forwarded-for": ip })).status;
  // A body that is not valid costs no turn.
  for (let turn = 0; turn < 6; turn++) expect(await from("203.0.113.1", "")).toBe(422);
  await forget();
  for (let host = 1; host <= 5; host++) expect(await from(`2001:db8:1:2::${host}`)).toBe(202);
  const refused = await scene.post({}, { "x-forwarded-for": "2001:db8:1:2:ffff::1" });
  expect([refused.status, refused.body.code]).toEqual([429, "rate_limited"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(await from("2001:db8:1:3::1")).toBe(202);
  // Mapped or plain, it is one place.
  for (let turn = 0; turn < 5; turn++)
    expect(await from(turn % 2 === 0 ? "::ffff:192.0.2.1" : "192.0.2.1")).toBe(202);
  expect(await from("192.0.2.1")).toBe(429);
  // As if the rest of the blocks' turns had been taken; one that is refused takes none of the total.
  const usedUp = (key: string) =>
    platformPool.query(
      "insert into credentials.limits (key, tat) values ($1, now() + interval '2 days') on conflict (key) do update set tat = excluded.tat",
      [key],
    );
  await usedUp("evaluation block 2001:db8:1::/48");
  await usedUp("evaluation block 192.0.2/24");
  expect(await from("2001:db8:1:4::1")).toBe(429);
  expect(await from("192.0.2.2")).toBe(429);
  expect([await from("2001:db8:2::1"), await from("192.0.3.2")]).toEqual([202, 202]);
  // As if somebody with all blocks of a network had asked sixty times.
  await usedUp("evaluations");
  expect([await from("2001:db8:3::1"), await from("2001:db8:4::1")]).toEqual([202, 429]);
  expect([await from("198.51.100.7"), await from("198.51.101.7")]).toEqual([202, 429]);
  await usedUp("evaluations reserve");
  expect(await from("203.0.113.9")).toBe(429);
  await forget();
}, 20_000);

test("operators page through all, see an ETag, and what they do twice is done once", async () => {
  const { id, email } = await scene.ask({ company: "Operated Ltd" });
  await scene.mailTo(email);
  const ids: string[] = [];
  for (let after = ""; ;) {
    const { body } = await scene.manage("GET", `?limit=3${after}`);
    ids.push(...body.data.map((each: { id: string }) => each.id));
    if (body.next_cursor === null) break;
    after = `&after=${body.next_cursor}`;
  }
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids[0]).toBe(id);
  const { body: closed } = await scene.manage("GET", "?status=closed");
  expect(closed.data.every(({ status }: { status: string }) => status === "closed")).toBe(true);
  const first = await scene.manage("GET", `/${id}`);
  const etag = first.headers.get("etag")!;
  expect((await scene.manage("GET", `/${id}`, undefined, { "if-none-match": etag })).status).toBe(
    304,
  );

  const assign = { contact: "Zoe <zoe@example.org>", slack_invite_url: "https://acme.slack.com/x" };
  const headers = { "idempotency-key": "once" };
  const calls = [
    await scene.manage("POST", `/${id}/assign`, assign, headers),
    await scene.manage("POST", `/${id}/assign`, assign, headers),
    await scene.manage("POST", `/${id}/assign`, assign),
  ];
  expect(calls.map(({ status }) => status)).toEqual([200, 200, 200]);
  for (const url of [
    "http://acme.slack.com/",
    "https://slack.com.evil.example/",
    "https://evilslack.com/",
    "https://u@a.slack.com/",
    "https://a.slack.com:8443/",
  ])
    expect(
      (await scene.manage("POST", `/${id}/assign`, { ...assign, slack_invite_url: url })).status,
    ).toBe(422);
  expect(
    (await scene.manage("POST", `/${id}/assign`, { contact: "A\r\nB <a@example.org>" })).status,
  ).toBe(422);
  const noted = await scene.manage("POST", `/${id}/note`, { text: "Wants SMS\nin May" });
  expect(noted.body.notes).toMatchObject([{ text: "Wants SMS\nin May" }]);
  await scene.manage("POST", `/${id}/convert`);
  const done = await scene.manage("POST", `/${id}/close`, { reason: "signed" });
  expect(done.body).toMatchObject({
    status: "closed",
    close_reason: "signed",
    contact: { name: "Zoe" },
  });
  expect((await scene.manage("POST", `/${id}/assign`, assign)).body.code).toBe("conflict");
  await scene.mailTo(email, 2);
  expect(scene.mails(email)).toHaveLength(2);
  const unknown = `/evl_${"0".repeat(26)}`;
  for (const [method, path] of [
    ["GET", unknown],
    ["POST", `${unknown}/convert`],
    ["GET", "/evl_1"],
  ] as const)
    expect((await scene.manage(method, path)).status).toBe(404);
  const { key } = await scene.world.addPartner();
  expect((await scene.world.call("GET", "/api/v1/admin/evaluations", { key })).status).toBe(403);
});

test("what a person wrote and was noted is erased for ever, once, and the same person begins anew", async () => {
  const { world } = scene;
  const { id, email } = await scene.ask({ company: "Erased Ltd" });
  const link = linkIn((await scene.mailTo(email)).text);
  const noted = await scene.manage("POST", `/${id}/note`, { text: "Eve calls on Monday" });
  expect(noted.body).toMatchObject({ email, erased_at: null });
  const headers = { "idempotency-key": "erase-once" };
  const calls = [
    await scene.manage("POST", `/${id}/erase`, undefined, headers),
    await scene.manage("POST", `/${id}/erase`, undefined, headers),
    await scene.manage("POST", `/${id}/erase`),
  ];
  const { erased_at } = calls[0]!.body;
  for (const { status, body } of calls)
    expect([status, body]).toEqual([200, { id, status: "closed", erased_at }]);
  const gone = "[erased]";
  expect((await scene.manage("GET", `/${id}`)).body).toMatchObject({
    status: "closed",
    name: gone,
    email: gone,
    use_case: gone,
    company: "Erased Ltd",
    notes: [{ text: gone }],
    erased_at,
  });
  const late = await scene.manage("POST", `/${id}/note`, { text: "Eve again" });
  expect([late.status, late.body.code]).toEqual([409, "conflict"]);
  await until(async () => (await open("GET", link)).status === 404);
  const { opened } = await scene.openedEvents(id, "EvaluationErased");
  for (const text of [email, "Eve"]) expect(opened).not.toContain(text);
  const { rows } = await world.platform.contexts.live.pool.query(
    "select count(*)::int as waiting from vault.keys where subject = $1 and destroyed_at is null",
    [id],
  );
  expect(rows).toEqual([{ waiting: 0 }]);
  const audited = await scene.auditOf(id, "/erase");
  for (const text of [email, "Eve"]) expect(audited.text).not.toContain(text);
  const { body: next } = await scene.post({ email });
  await until(async () => (await scene.manage("GET", `/${next.id}`)).body.status === "provisioned");
  expect((await scene.manage("POST", `/evl_${"0".repeat(26)}/erase`)).status).toBe(404);
});

test("the rota goes round by the order of requests, begins anew when it is set, and If-Match keeps two from setting it at once", async () => {
  const contacts = ["a@example.org", "b@example.org", "c@example.org"];
  const { headers } = await scene.manage("GET", "/rota");
  const seen = { "if-match": headers.get("etag")! };
  expect((await scene.manage("PUT", "/rota", { contacts }, seen)).status).toBe(200);
  expect((await scene.manage("PUT", "/rota", { contacts: [] }, seen)).status).toBe(412);
  const asked = [];
  for (let turn = 0; turn < 4; turn++) asked.push(await scene.ask({ company: "Turn" }));
  await scene.mailTo(asked[3]!.email);
  const taken = await Promise.all(
    asked.map(async ({ id }) => (await scene.manage("GET", `/${id}`)).body.contact.email),
  );
  expect(taken).toEqual(["a@example.org", "b@example.org", "c@example.org", "a@example.org"]);
  await scene.manage("PUT", "/rota", { contacts: [] });
  const { id, email } = await scene.ask();
  await scene.mailTo(email);
  expect((await scene.manage("GET", `/${id}`)).body.contact).toBeNull();
});

test("the report counts kept, broken and open promises as the log tells them", async () => {
  const { body: before } = await scene.manage("GET", "/report");
  const { data } = (await scene.manage("GET", "?limit=100")).body;
  const own = data.filter((each: { duplicate_of: string | null }) => each.duplicate_of === null);
  const of = (test: (each: Record<string, string | null>) => boolean): number =>
    own.filter(test).length;
  expect(before).toMatchObject({
    requests: own.length,
    kept: of(({ contacted_at }) => contacted_at !== null),
    broken: 0,
    open: of(({ contacted_at, closed_at }) => contacted_at === null && closed_at === null),
    kept_share: 1,
  });
  // One that waited in vain, and one that was answered late.
  const { platformPool } = scene.world.platform;
  const past = `{"promised_by": "2026-01-02T10:00:00.000Z"}`;
  for (const answered of [true, false])
    await platformPool.query(
      `update evaluations.evaluations set data = data || $1::jsonb where id = (select id from evaluations.evaluations
        where (data ? 'contacted_at') = $2 and not data ? 'closed_at' and not data ? 'duplicate_of' limit 1)`,
      [past, answered],
    );
  const { body: after } = await scene.manage("GET", "/report");
  expect(after).toMatchObject({ broken: 2, kept: before.kept - 1, open: before.open - 1 });
  expect((await scene.manage("GET", "/report?to=2026-01-01T00:00:00Z")).body).toMatchObject({
    requests: 0,
    kept_share: null,
  });
});
