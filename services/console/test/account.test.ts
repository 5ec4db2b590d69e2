import { afterFile, until, webhookSink } from "@heliograph/testkit";
import { testBrowser } from "@heliograph/testkit/browser";
import { deterministicId } from "@heliograph/contracts";
import { afterAll, describe, expect, test } from "vitest";
import { form, hiddenIn, openDesk } from "./desk.ts";
import { expectSenderRules } from "./sender-rules.ts";

const { browser, skip } = await testBrowser();
afterAll(() => browser?.close());
const desk = await openDesk();
const { world, keys, base, press, read, signedIn, fetchPage } = desk;
const sink = await webhookSink();
afterFile(() => sink.close());
const cookie = await signedIn();
const home = "/console/webhooks";
const partner = deterministicId("ptn", "demo");

const placeOf = (answer: Response): string => {
  if (answer.status !== 303) throw new Error(`the form answers ${answer.status}`);
  return answer.headers.get("location")!;
};
const withoutTold = (place: string): string => place.split("?")[0]!;

/** Adds an endpoint, and gives its page. */
const added = async (fields: Record<string, string> = {}): Promise<string> =>
  placeOf(await press(cookie, `${home}/new`, `${home}/new`, { url: sink.url, ...fields }));

describe("webhooks", () => {
  test("an endpoint is made with its secret shown once, changed, switched and deleted after a question", async () => {
    const place = await added({ "types[message.sent]": "1", rate_limit: "5" });
    const page = withoutTold(place);
    // Other pages, of other tabs too, do not take what is told to this one.
    for (const other of [home, page, `${home}?told=flash_none`])
      expect(await read(cookie, other)).not.toContain("whsec_");
    expect(await read(await signedIn(), place)).not.toContain("whsec_");
    expect(await read(cookie, place)).toMatch(/Signing secret.*<code>whsec_/s);
    const later = await read(cookie, place);
    expect(later).not.toContain("whsec_");
    expect(later).toContain("message.sent");
    // What is told waits in the table sealed.
    const held = await press(cookie, `${page}/rotate`, `${page}/rotate`, { overlap_seconds: "0" });
    const { rows } = await world.platform.platformPool.query("select told from console.flashes");
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain("whsec_");
    expect(await read(cookie, placeOf(held))).toContain("whsec_");

    await press(cookie, `${page}/edit`, `${page}/edit`, {
      url: `${sink.url}/new`,
      description: "b",
    });
    expect(await read(cookie, page)).toContain("everything");
    await press(cookie, page, `${page}/switch`);
    expect(await read(cookie, page)).toContain(">disabled<");
    await press(cookie, page, `${page}/switch`);
    expect(await read(cookie, page)).toContain(">enabled<");
    expect(await read(cookie, `${page}/delete`)).toContain("Delete this endpoint?");
    expect(placeOf(await press(cookie, `${page}/delete`, `${page}/delete`))).toMatch(home);
    await read(cookie, page, 404);
  });

  test("a refusal keeps what was typed, and says why beside it", async () => {
    const answer = await press(cookie, `${home}/new`, `${home}/new`, {
      url: "nowhere",
      description: "typed",
      "types[message.read]": "1",
    });
    const text = await answer.text();
    expect(answer.status).toBe(422);
    expect(text).toContain('value="typed"');
    expect(text).toMatch(/name="types\[message.read\]" value="1" checked/);
    expect(text).toContain("must begin with https:// or http://");
  });

  test("a test event leads to its outcome, and a delivery shows its attempts and what was sent", async () => {
    const page = withoutTold(await added());
    sink.queue({ type: "answer", status: 500, body: "<script>no</script>" });
    const place = placeOf(await press(cookie, page, `${page}/test`));
    const text = await read(cookie, place);
    expect(text).toContain("did not take the test event: 500");
    expect(text).toContain("&lt;script&gt;no");
    expect(text).toContain("webhook-id");
    expect(text).toContain("message.delivered");
    expect(text).not.toContain("webhook-signature");
    await until(async () => (await read(cookie, page)).includes("1\u00a0×\u00a0status_5xx"), {
      what: "the endpoint's page counts the attempt",
    });
    const delivery = withoutTold(place);
    expect((await press(cookie, delivery, `${delivery}/retry`)).status).toBe(303);
    await until(async () => (await read(cookie, delivery)).includes('pill good">delivered'), {
      what: "the delivery is delivered",
    });
  });
});

describe("keys", () => {
  const all = "/console/keys";

  test("a key is issued with no more than was ticked, is shown once, rotated and revoked", async () => {
    const place = placeOf(
      await press(cookie, `${all}/new`, `${all}/new`, {
        name: "till",
        "scopes[messages:read]": "1",
        allowed_cidrs: "127.0.0.1/32, 10.0.0.0/8",
        expires_at: "2099-12-31",
      }),
    );
    const text = await read(cookie, place);
    const [key] = /ak_test_[^<]{20,}/.exec(text)!;
    expect(text).toContain("127.0.0.1/32, 10.0.0.0/8");
    expect(text).toContain("31 Dec 2099");
    expect((await world.call("GET", "/api/v1/messages", { key })).status).toBe(200);
    expect((await world.call("GET", "/api/v1/keys", { key })).status).toBe(403);
    const page = withoutTold(place);
    expect(await read(cookie, place)).not.toContain(key);

    const next = placeOf(await press(cookie, `${page}/rotate`, `${page}/rotate`));
    expect(await read(cookie, next)).toMatch(/ak_test_[^<]{20,}/);
    expect(await read(cookie, page)).toContain(withoutTold(next));
    expect(await read(cookie, `${page}/revoke`)).toContain("rotate it");
    await press(cookie, `${page}/revoke`, `${page}/revoke`);
    expect((await world.call("GET", "/api/v1/messages", { key })).status).toBe(401);
  });

  test("a form that is posted twice issues one key, and a stale one revokes nothing", async () => {
    const text = await read(cookie, `${all}/new`);
    const fields = { ...hiddenIn(text, `${all}/new`), name: "double" };
    const first = placeOf(await fetchPage(`${all}/new`, form(fields, { cookie })));
    const second = placeOf(await fetchPage(`${all}/new`, form(fields, { cookie })));
    expect(withoutTold(second)).toBe(withoutTold(first));
    const page = withoutTold(first);
    const stale = hiddenIn(await read(cookie, `${page}/revoke`), `${page}/revoke`);
    await press(cookie, `${page}/rotate`, `${page}/rotate`);
    const refused = await fetchPage(`${page}/revoke`, form(stale, { cookie }));
    expect(refused.status).toBe(412);
    expect(await refused.text()).toContain("precondition_failed");
  });
});

describe("people", () => {
  test("somebody is invited, changed, put into a team and shut out", async () => {
    const answer = await press(cookie, "/console/team/new", "/console/team/new", {
      name: "<b>Ada</b>",
      email: "ada.team@example.com",
      role: "viewer",
      capacity: "3",
      "environments[sandbox]": "1",
    });
    expect(placeOf(answer)).toMatch("/console/team");
    const list = await read(cookie, "/console/team?role=viewer");
    expect(list).toContain("&lt;b&gt;Ada");
    const [page] = /\/console\/team\/agt_\w+/.exec(list)!;
    const again = await press(cookie, page, `${page}/invitation`);
    expect(await read(cookie, placeOf(again))).toContain("goes to ada.team@example.com. The links");
    await press(cookie, page, `${page}/invitation`);
    await press(cookie, page, `${page}/invitation`);
    const much = await press(cookie, page, `${page}/invitation`);
    expect([much.status, (await much.text()).includes('value="&lt;b&gt;Ada')]).toEqual([429, true]);
    await press(cookie, page, page, {
      name: "Ada",
      role: "agent",
      capacity: "7",
      "environments[sandbox]": "1",
    });
    expect(await read(cookie, page)).toMatch(/name="capacity" [^>]*value="7"/);
    const nowhere = await press(cookie, page, page, { name: "Ada", role: "agent" });
    expect(nowhere.status).toBe(422);

    const id = page.split("/").at(-1)!;
    await press(cookie, "/console/teams/new", "/console/teams/new", {
      name: "Night",
      routing: "manual",
      [`agents[${id}]`]: "1",
    });
    const [team] =
      /\/console\/teams\/team_\w+|\/console\/teams\/tea_\w+|\/console\/teams\/tm_\w+/.exec(
        await read(cookie, "/console/teams"),
      )!;
    expect(await read(cookie, team)).toMatch(new RegExp(`agents\\[${id}\\]" value="1" checked`));
    expect((await press(cookie, `${team}/delete`, `${team}/delete`)).status).toBe(303);

    await press(cookie, `${page}/disable`, `${page}/disable`);
    expect(await read(cookie, page)).toContain(">disabled<");
  });

  test("nobody is offered what the role may not do", async () => {
    const password = "a viewer's password";
    const email = "viewer@example.com";
    await world.call("POST", "/api/v1/agents", {
      key: keys.sandboxKey,
      body: { name: "V", email, role: "viewer", password },
    });
    const viewer = await signedIn({ email, password });
    const team = await read(viewer, "/console/team");
    expect(team).not.toContain("/console/team/new");
    expect(team).not.toContain('href="/console/keys"');
    await read(viewer, "/console/keys", 403);
    await read(viewer, "/console/webhooks", 403);

    // Their own password and codes are theirs.
    const me = "/console/me";
    const wrong = await press(viewer, me, `${me}/password`, {
      current: "wrong",
      new: "another password",
    });
    expect([wrong.status, (await wrong.text()).includes("invalid_credentials")]).toEqual([
      422,
      true,
    ]);
    await press(viewer, me, `${me}/password`, { current: password, new: "another password" });
    const place = placeOf(await press(viewer, me, `${me}/totp`));
    expect(await read(viewer, place)).toMatch(/otpauth:/);
    expect(await read(viewer, place)).not.toMatch(/otpauth:/);
    expect((await press(viewer, me, `${me}/totp/confirm`, { totp: "000000" })).status).toBe(422);
  });
});

describe("the sandbox", () => {
  const sandbox = "/console/sandbox";

  test("a person writes, a provider reports, the clock goes forward, and all of it is emptied after a question", async () => {
    const text = await read(cookie, sandbox);
    expect(text).toContain("<code>0014</code>");
    expect(text).toContain("the next send is refused until you end the suppression");
    const inbound = await press(cookie, sandbox, `${sandbox}/inbound`, {
      channel: "sms",
      from: "+15551234567",
      text: "hi",
    });
    expect(await read(cookie, placeOf(inbound))).toMatch(/Received as msg_/);
    const sent = await world.call("POST", "/api/v1/messages", {
      key: keys.sandboxKey,
      body: {
        channel: "sms",
        to: "+15551230002",
        text: "x",
        send_at: new Date(Date.now() + 7_200_000).toISOString(),
      },
    });
    const receipt = { message_id: sent.body.id, status: "delivered" };
    const reported = await press(cookie, sandbox, `${sandbox}/receipts`, receipt);
    expect(await read(cookie, placeOf(reported))).toContain("has reported");
    const unknown = await press(cookie, sandbox, `${sandbox}/receipts`, {
      ...receipt,
      message_id: "msg_none",
    });
    expect(unknown.status).toBe(404);
    const bad = await press(cookie, sandbox, `${sandbox}/inbound`, {
      channel: "sms",
      from: "nobody",
      text: "typed <b>",
    });
    expect([bad.status, (await bad.text()).includes("typed &lt;b&gt;</textarea>")]).toEqual([
      422,
      true,
    ]);
    const moved = await press(cookie, sandbox, `${sandbox}/clock`, { seconds: "3600" });
    const [, now] = /it is ([\d\-T:.]+Z)/.exec(await read(cookie, placeOf(moved)))!;
    expect(Date.parse(now!) - Date.now()).toBeGreaterThan(3_500_000);
  });

  test("usage is shown, and its file is the platform's own", async () => {
    await world.call("POST", "/api/v1/messages", {
      key: keys.sandboxKey,
      body: { channel: "sms", to: "+15551230001", text: "x", tags: ["=HYPERLINK(1)"] },
    });
    const path = "/console/usage?group_by=tag";
    const text = await until(
      async () => {
        const found = await read(cookie, path);
        return found.includes("=HYPERLINK") && found;
      },
      { what: "the message is counted" },
    );
    expect(text).toContain("Messages by channel");
    const [, href] = /href="([^"]*usage\.csv[^"]*)"/.exec(text)!;
    const file = await fetchPage(href!.replaceAll("&amp;", "&"), { headers: { cookie } });
    expect(file.headers.get("content-disposition")).toContain("usage.csv");
    const csv = await file.text();
    expect(csv).toContain("HYPERLINK");
    // A cell that a spreadsheet would calculate begins with an apostrophe.
    expect(csv).not.toMatch(/(^|,|")=/m);
    const wrong = await read(cookie, "/console/usage?from=2026-05-02&to=2026-05-01", 422);
    expect(wrong).toContain('value="2026-05-02"');
  });

  test("is emptied after a question", async () => {
    expect(await read(cookie, `${sandbox}/reset`)).toContain("Keys, endpoints, templates");
    const place = placeOf(await press(cookie, `${sandbox}/reset`, `${sandbox}/reset`));
    expect(await read(cookie, place)).toContain("a new, empty one");
    expect(await read(cookie, "/console/messages")).toContain("No message yet");
    expect(await read(cookie, "/console/limits")).toContain("Requests, sustained");
  });
});

describe("gateways and routing", () => {
  test("an operator sets what a partner only sees", async () => {
    expect(await read(cookie, "/console/gateways")).not.toContain("Weight");
    expect(await read(cookie, "/console/routing?channel=sms&to=%2B15551230001")).toContain(
      "would take it",
    );
    await read(cookie, "/console/routing?channel=sms&to=nobody", 422);
    await read(cookie, "/console/routing/rules", 403);

    const operator = await signedIn(keys.operator);
    const list = await read(operator, "/console/gateways");
    const [, page, name] = /href="(\/console\/gateways\/gtw_\w+)"><bdi>([^<]*)/.exec(list)!;
    const set = { weight: "70", cost: "0.004", max_per_second: "", max_in_flight: "8" };
    expect((await press(operator, page!, page!, set)).status).toBe(303);
    expect(await read(operator, page!)).toContain('value="0.004"');
    const bad = await press(operator, page!, page!, { ...set, cost: "cheap" });
    expect([bad.status, (await bad.text()).includes('value="cheap"')]).toEqual([422, true]);
    expect(await read(operator, placeOf(await press(operator, page!, `${page}/test`)))).toMatch(
      /The provider/,
    );
    await press(operator, `${page}/disable`, `${page}/disable`);
    expect(await read(operator, page!)).toContain(">disabled<");
    await press(operator, page!, `${page}/enable`);

    const rules = "/console/routing/rules";
    const channel = /<dd>(\w+) by/.exec(await read(operator, page!))![1]!;
    const rule = {
      "rules[0.gateways]": name!,
      "rules[0.channel]": channel,
      "rules[0.policy]": "least_cost",
      "rules[0.partner]": partner,
    };
    expect((await press(operator, rules, rules, rule)).status).toBe(303);
    const shown = await read(operator, "/console/routing");
    expect(shown).toContain("the cheapest");
    // Names, where there are some.
    expect(shown).toContain(`partner <a href="/console/partners/${partner}"><bdi>Demo</bdi></a>`);
    expect(shown).toContain(`<bdi>${name}</bdi>`);
    expect(shown).not.toMatch(/>gtw_/);
    const unknown = await press(operator, rules, rules, {
      ...rule,
      "rules[0.gateways]": "nothing",
    });
    expect([unknown.status, (await unknown.text()).includes('value="nothing"')]).toEqual([
      422,
      true,
    ]);
    expect((await press(operator, rules, rules, { "rules[0.gateways]": "" })).status).toBe(303);
    expect(await read(operator, "/console/routing")).toContain("No rule");
  });

  test("an operator says which senders countries take, rule by rule, and nobody else does", () =>
    expectSenderRules(desk, { cookie, partner }));
});

/** A browser on a busy machine takes its time. */
const flowDeadlineMs = 90_000;

/** The whole way of a replay as a person goes it. */
describe.skipIf(browser === undefined)(
  `a replay in a browser${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    test.each([true, false])(
      "sends again what is chosen, with scripts: %s",
      { timeout: flowDeadlineMs },
      async (javaScriptEnabled) => {
        const target = await webhookSink();
        const context = await browser!.newContext({ baseURL: base, javaScriptEnabled });
        try {
          const page = await context.newPage();
          page.setDefaultTimeout(6_000);
          await page.goto(home);
          await page.fill("[name=email]", keys.agent.email);
          await page.fill("[name=password]", keys.agent.password);
          await page.click("button.main");
          await page.goto(`${home}/new`);
          await page.fill("[name=url]", target.url);
          await page.check("text=message.delivered");
          await page.click("button.main");
          expect(await page.textContent(".once")).toContain("whsec_");
          await page.click("text=Send a test event");
          expect(await page.textContent(".flash")).toContain("took the test event: 200");
          await page.click("text=Back to the endpoint");
          // A test event is no event of the feed: a replay takes what did happen.
          await world.call("POST", "/api/v1/messages", {
            key: keys.sandboxKey,
            body: { channel: "sms", to: "+15551230001", text: "replayed" },
          });
          await until(
            async () => {
              await page.reload();
              return (await page.locator("tbody .pill.good").count()) === 2;
            },
            { what: "the message's delivery is told" },
          );
          const before = target.requests.length;
          await page.click("a:has-text('Replay')");
          await page.fill("[name=since]", "2026-01-01T00:00");
          await page.check("text=delivered: it gets them twice");
          await page.click("button.main");
          expect(await page.textContent(".flash")).toContain("One delivery matches");
          await until(
            async () => {
              await page.reload();
              return (await page.textContent(".lead"))!.includes("done");
            },
            { what: "the replay is done" },
          );
          expect(target.requests.length).toBe(before + 1);
          expect(await page.textContent(".facts")).toMatch(/Delivered now\s*1/);
        } finally {
          await context.close();
          await target.close();
        }
      },
    );
  },
);
