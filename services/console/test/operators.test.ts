import { deterministicId } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { testBrowser } from "@heliograph/testkit/browser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hiddenIn, openDesk, type Desk } from "./desk.ts";

const { browser, skip } = await testBrowser();
const { world, keys, base, fetchPage, read, press, agree, signedIn }: Desk = await openDesk();
const demoPartnerId = deterministicId("ptn", "demo");
const platformPages =
  "partners prices backtests forks evaluations projections dead-letters log".split(" ");

let operator: string;
let agent: string;
/** The operator's session in live. */
let live: string;

beforeAll(async () => {
  [operator, live, agent] = await Promise.all([
    signedIn(keys.operator),
    signedIn(keys.operator),
    signedIn(),
  ]);
  const answer = await press(live, "/console", "/console/environment", { environment: "live" });
  if (answer.status !== 303) throw new Error(`the switch answers ${answer.status}`);
});
afterAll(async () => {
  await browser?.close();
});

/** Where a form led, and the page there. */
const follow = async (cookie: string, answer: Response): Promise<string> => {
  expect([answer.status, answer.status === 303 ? "" : await answer.text()]).toEqual([303, ""]);
  return read(cookie, answer.headers.get("location")!);
};

describe("the group Platform", () => {
  test("is an operator's, and to a partner's agent neither shown nor open", async () => {
    const [theirs, ours] = await Promise.all([read(operator, "/console"), read(agent, "/console")]);
    for (const page of platformPages) {
      expect(theirs).toContain(`href="/console/${page}"`);
      expect(ours).not.toContain(`href="/console/${page}"`);
      await read(agent, `/console/${page}`, 403);
      await read(operator, `/console/${page}`);
      await read(live, `/console/${page}`);
    }
  });
});

describe("partners", () => {
  test("are made, limited, corrected and suspended", async () => {
    const made = await press(live, "/console/partners", "/console/partners", {
      name: "<b>Acme</b>",
    });
    const shown = await follow(live, made);
    expect(shown).toMatch(/ak_live_\w+/);
    const id = /ptn_\w+/.exec(shown)![0];
    const path = `/console/partners/${id}`;
    expect(await read(live, path)).toContain("<bdi>&lt;b&gt;Acme&lt;/b&gt;</bdi>");

    const limits = {
      name: "<b>Acme</b>",
      requests: "5",
      window_seconds: "1",
      daily_messages: "1000",
    };
    const seen = await read(live, path);
    const first = await press(live, path, `${path}/limits`, limits);
    expect(await follow(live, first)).toContain('value="1000"');
    // Another looked at it before: the change is not theirs to overwrite.
    const etag = /name="etag" value="([^"]*)"/.exec(seen)![1]!.replaceAll("&quot;", '"');
    const stale = await press(live, path, `${path}/limits`, {
      ...limits,
      daily_messages: "7",
      etag,
    });
    expect(stale.status).toBe(412);
    const refused = await stale.text();
    expect(refused).toContain("precondition_failed");
    expect(refused).toContain('value="7"');
    const wrong = await press(live, path, `${path}/limits`, { ...limits, daily_messages: "many" });
    expect([wrong.status, await wrong.text()]).toEqual([
      422,
      expect.stringContaining("daily_messages"),
    ]);

    // Money is asked about before it moves.
    const adjust = `${path}/adjust`;
    const fields = { amount: "12.50", reason: "Sorry <b>" };
    const question = await press(live, path, adjust, fields);
    const asked = await question.clone().text();
    expect(asked).toMatch(/12\.50 <abbr>USD.*Sorry &lt;b&gt;/s);
    const balance = async () =>
      (await world.call("GET", `/api/v1/balance`, { key: /ak_live_\w+/.exec(shown)![0] })).body
        .available;
    expect(await balance()).toBe("0");
    expect(await follow(live, await agree(live, question, adjust))).toContain(
      "12.5 is available now",
    );
    expect(await balance()).toBe("12.5");
    const slip = await agree(
      live,
      await press(live, path, adjust, { ...fields, amount: "much" }),
      adjust,
    );
    expect([slip.status, await slip.text()]).toEqual([
      422,
      expect.stringContaining('value="much"'),
    ]);
    const list = `${path}/price-list`;
    const assigned = await press(live, path, list, { list: "standard" });
    expect(await assigned.clone().text()).toContain("Give this partner another price list?");
    expect(await follow(live, await agree(live, assigned, list))).toContain("Priced by standard");
    const suspend = await press(live, `${path}/suspend`, `${path}/status`);
    expect(await follow(live, suspend)).toContain("It is suspended.");
    const { body } = await world.call("GET", `/api/v1/admin/partners/${id}`, {
      key: keys.adminKey,
    });
    expect(body).toMatchObject({ status: "suspended", daily_messages: 1_000 });
    expect(await read(operator, path)).not.toContain(`${path}/limits`);
  });
});

test("a gateway of lists leads to the one that it goes through", async () => {
  const add = async (body: object): Promise<string> => {
    const sent = { environment: "live", enabled: true, ...body };
    const made = await world.call("POST", "/api/v1/admin/gateways", {
      key: keys.adminKey,
      body: sent,
    });
    expect(made.status).toBe(201);
    return made.body.id;
  };
  const via = await add({ name: "trial-bot", channel: "telegram", kind: "log" });
  const news = await add({
    name: "trial-news",
    channel: "broadcast",
    kind: "broadcast",
    settings: { via },
  });
  const page = await read(live, `/console/gateways/${news}`);
  expect(page).toContain(
    `<dt>Goes through</dt><dd><a href="/console/gateways/${via}"><bdi>trial-bot</bdi></a></dd>`,
  );
  expect(await read(live, `/console/gateways/${via}`)).not.toContain("Goes through");
});

describe("prices", () => {
  const home = "/console/prices";
  const path = `${home}/new-version`;

  test("are published after a look at what changes, shown by version, and priced for a number", async () => {
    const lines =
      "channel,prefix,category,min_segments,per_segment\nsms,,,,0.02\nsms;+44;;;0.012\nsms\t44\tmarketing\t\t0.015";
    const fields = { list: "retail", version: "1", currency: "USD", entries: lines };
    const looked = await press(live, path, path, fields);
    const what = await looked.clone().text();
    expect(what).toContain("Publish these prices?");
    expect(what.match(/<span class="pill still">new<\/span>/g)).toHaveLength(3);
    expect(await read(live, home)).not.toContain("retail");
    // What was looked at is what is published, and once.
    const entries = { entries: lines };
    const form = { ...hiddenIn(await looked.text(), path), ...entries };
    const post = () =>
      fetchPage(path, {
        method: "POST",
        headers: { cookie: live },
        body: new URLSearchParams(form),
      });
    const answers = [await post(), await post()];
    const shown = await follow(live, answers[0]!);
    expect(answers[1]!.headers.get("location")).toContain(`${home}/retail`);
    expect(shown).toContain("Version 1 of retail is published.");
    expect(await read(live, `${home}/retail?prefix=4479&channel=sms`)).toMatch(/\+44.*0\.015/s);
    const cost = await read(live, `${home}/retail?on=sms&to=%2B447911123456&segments=3`);
    expect(cost).toContain("3 × 0.012");
    await read(live, `${home}/retail?on=sms&to=nobody`, 422);
    expect(await read(operator, home)).toContain(`href="${home}/retail"`);
    expect(await read(operator, path)).toContain("Switch to live");

    // The next one begins with the newest, says what differs, and keeps what was typed where it is refused.
    const form2 = await read(live, `${path}?list=retail`);
    expect(form2).toContain("sms,44,marketing,,0.015");
    expect(form2).toMatch(/name="version"[^>]* value="2"/);
    const later = {
      list: "retail",
      version: "2",
      effective_from: "2999-01-01T00:00",
      entries: "sms,,,,0.02\nsms,44,,,0.01",
    };
    const second = await press(live, `${path}?list=retail`, path, later);
    const differs = await second.clone().text();
    expect(differs).toMatch(/0\.012<\/td><td class="figures">0\.01</);
    expect(differs.match(/left out/g)).toHaveLength(1);
    const sure = { ...hiddenIn(await second.text(), path), entries: later.entries };
    const done = await fetchPage(path, {
      method: "POST",
      headers: { cookie: live },
      body: new URLSearchParams(sure),
    });
    expect(await follow(live, done)).toContain("to come");
    const wrong = { ...sure, key: "another", version: "1", entries: "pigeon,<b>,,,free" };
    const refused = await fetchPage(path, {
      method: "POST",
      headers: { cookie: live },
      body: new URLSearchParams(wrong),
    });
    const why = await refused.text();
    expect([refused.status, why.includes("pigeon,&lt;b&gt;,,,free")]).toEqual([422, true]);
    expect(why).toContain("entries.0.channel");
    await read(live, `${home}/nowhere`, 404);
    const asked = { key: keys.sandboxKey };
    const other = "/api/v1/prices/preview?channel=sms&to=%2B447911123456&list=retail";
    expect((await world.call("GET", other, asked)).status).toBe(403);
  });
});

describe("evaluations", () => {
  test("are noted, given, closed and erased, each of them once", async () => {
    const made = await world.call("POST", "/api/v1/evaluations", {
      body: {
        company: "Acme",
        name: "Ada <script>",
        email: "ada@acme.example",
        use_case: "Order confirmations",
        website: "https://acme.example",
      },
    });
    expect(made.status).toBe(202);
    const path = `/console/evaluations/${made.body.id}`;
    const note = await press(operator, path, `${path}/note`, { text: "Called <back>." });
    const noted = await follow(operator, note);
    expect(noted).toContain("Called &lt;back&gt;.");
    expect(noted).not.toContain("Ada <script>");
    const given = await press(operator, path, `${path}/assign`, {
      contact: "Ann <ann@example.org>",
    });
    expect(await follow(operator, given)).toContain("Ann");
    const nobody = await press(operator, path, `${path}/assign`, { contact: "nobody at all" });
    expect([nobody.status, await nobody.text()]).toEqual([
      422,
      expect.stringContaining("nobody at all"),
    ]);
    expect(await read(operator, path)).not.toContain(
      `<form class="sheet inline" method="post" action="${path}/close"`,
    );
    const closed = await press(operator, `${path}/close`, `${path}/close`, { reason: "A <slip>" });
    expect(await follow(operator, closed)).toMatch(/Closed\..*A &lt;slip&gt;/s);
    const erased = await press(operator, `${path}/erase`, `${path}/erase`);
    expect(await follow(operator, erased)).not.toContain("ada@acme.example");
    const rota = "/console/evaluations/rota";
    const set = await press(operator, rota, rota, { contacts: "Ann <ann@example.org>\n" });
    expect(await follow(operator, set)).toContain("ann@example.org");
    await read(operator, "/console/evaluations/report");
  });
});

describe("the log", () => {
  test("is walked, and masked, and shown as of a position", async () => {
    const page = await read(operator, "/console/log?category=wallet");
    const position = /as_of=(\d+)/.exec(page)![1]!;
    expect(page).toContain("Funds");
    expect(await read(operator, `/console/log?as_of=${position}`)).toContain(
      `As it was at #${position}`,
    );
    expect(await read(live, "/console/log?environment=platform&category=agent")).toContain(
      "[masked]",
    );
    await read(operator, "/console/log?stream=message-nothing", 404);
    // One more than a number holds exactly.
    const far = await read(operator, "/console/log?from=9007199254740993");
    expect(far).toContain("after=9007199254740992");
  });
});

describe("dead letters", () => {
  test("are read and handed out again", async () => {
    await world.platform.contexts.sandbox.pool.query(
      "insert into runtime.dead_letters (consumer, position, event_id, event_type, reason) values ('nobody', 1, gen_random_uuid(), 'MessageSent', '<i>broken</i>')",
    );
    const path = "/console/dead-letters";
    expect(await read(operator, path)).toContain("&lt;i&gt;broken&lt;/i&gt;");
    expect(await follow(operator, await press(operator, path, `${path}/retry`))).toContain(
      "handed out again",
    );
    expect(await read(operator, `${path}?status=open`)).toContain("Nothing fits");
  });
});

describe("one message and the overview", () => {
  test("tell of every position, and count what was sent", async () => {
    const key = keys.sandboxKey;
    const send = (to: string) =>
      world.call("POST", "/api/v1/messages", { key, body: { channel: "sms", to, text: "Hello" } });
    const [good, bad] = await Promise.all(["+15551230001", "+15551230003"].map(send));
    const ended = async (id: string, status: string) =>
      until(
        async () =>
          (await world.call("GET", `/api/v1/messages/${id}`, { key })).body.status === status,
      );
    await Promise.all([ended(good!.body.id, "delivered"), ended(bad!.body.id, "failed")]);
    const path = `/console/messages/${good!.body.id}`;
    const page = await read(agent, path);
    expect(page).toContain('type="range"');
    for (const part of ["Attempts", "Money", "Webhooks"]) expect(page).toContain(`>${part}</h2>`);
    const first = await read(agent, `${path}?step=0`);
    expect(first).toContain("queued</span>");
    expect(first).not.toContain("delivered</span>");
    expect(await read(agent, `${path}?step=999`)).toContain("delivered</span>");

    const body = await until(async () => {
      const answer = await world.call("GET", "/api/v1/overview?minutes=5", { key });
      expect(answer.status).toBe(200);
      return answer.body.failures.total >= 1 && answer.body;
    });
    expect(body.throughput).toHaveLength(5);
    expect(body.outcomes).toContainEqual({ status: "delivered", messages: 1 });
    expect(body.failures).toMatchObject({ total: 1, looked_at: 1, by_code: [{ messages: 1 }] });
    expect(body.latency_ms.accepted_to_sent).toMatchObject({ measured: 1 });
    expect(body.wallet).toMatchObject({ currency: "USD" });
    expect(body.lag.projections.map(({ name }: { name: string }) => name)).toContain("messages");
    const looking = await world.addKey(demoPartnerId, { scopes: ["usage:read"] });
    expect((await world.call("GET", "/api/v1/overview", { key: looking })).body.wallet).toBeNull();
    expect((await world.call("GET", "/api/v1/overview?minutes=1441", { key })).status).toBe(422);
    const shown = await read(agent, "/console");
    // Each chart has its table; one that has nothing to draw says what would be there.
    const charts = shown.match(/<figure class="chart">.*?<\/figure>/gs)!;
    expect(charts.length).toBe(5);
    for (const chart of charts) {
      const told = chart.includes('class="nothing"');
      expect([chart, chart.includes("<svg"), chart.includes("As a table")]).toEqual([
        chart,
        !told,
        !told,
      ]);
    }
  });
});

describe("backtests", () => {
  test("try prices on what was sent, from a form that begins with the rules in force, and show what comes of it", async () => {
    const sent = await world.call("POST", "/api/v1/messages", {
      key: keys.sandboxKey,
      body: { channel: "sms", to: "+15551230001", text: "Hi" },
    });
    expect(sent.status).toBe(202);
    const message = `/api/v1/messages/${sent.body.id}`;
    await until(async () => {
      const { body } = await world.call("GET", message, { key: keys.sandboxKey });
      return body.status === "delivered";
    });
    const form = "/console/backtests/new";
    const window = { from: "2026-01-01T00:00", to: new Date().toISOString().slice(0, 19) };
    const entries = "channel,prefix,category,min_segments,per_segment\nsms,1,,,123.5";
    const empty = await press(operator, form, form, { ...window, partner: "<b>" });
    const why = await empty.text();
    expect(empty.status).toBe(422);
    // As it was typed, with what the platform says.
    for (const part of ['value="2026-01-01T00:00"', 'value="&lt;b&gt;"', "required"])
      expect(why).toContain(part);
    const recent = new Date(Date.now() - 86_400_000).toISOString().slice(0, 16);
    await until(() => new Date().toISOString().slice(0, 19) > window.to);
    const to = new Date().toISOString().slice(0, 19);
    const asked = await press(operator, form, form, { from: recent, to, entries });
    const shown = await follow(operator, asked);
    expect(shown).toContain("1 price");
    const path = asked.headers.get("location")!;
    const done = await until(async () => {
      const page = await read(operator, path);
      return page.includes(">done<") && page;
    });
    expect(done).toMatch(/\+\d{3}\.\d+ <abbr>USD/);
    expect(done).toContain(sent.body.id as string);
    expect(await read(operator, "/console/backtests")).toContain(`href="${path}"`);
    // It has ended: there is nothing to cancel.
    expect(done).not.toContain(`action="${path}/cancel"`);
    await read(agent, path, 403);
  });
});

describe("forks", () => {
  test("are asked for by a form, and show what they came to", async () => {
    const form = "/console/forks";
    const typed = { partner: demoPartnerId, from: "2026-01-01T00:00", to: "2026-01-02T00:00" };
    const refused = await press(operator, form, form, { ...typed, to: "2025-01-01T00:00" });
    const why = await refused.text();
    expect(refused.status).toBe(422);
    for (const part of [
      'value="2026-01-01T00:00"',
      `value="${demoPartnerId}" selected`,
      "later than",
    ])
      expect(why).toContain(part);
    const asked = await press(operator, form, form, typed);
    const path = asked.headers.get("location")!;
    await follow(operator, asked);
    const done = await until(async () => {
      const page = await read(operator, path);
      return page.includes(">done<") && page;
    });
    expect(done).toContain(demoPartnerId);
    expect(done).not.toContain(`action="${path}/cancel"`);
    await read(agent, path, 403);
  });
});

describe.skipIf(browser === undefined)(
  `in a browser${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    test.each([true, false])(
      "a read model is built again, with scripts %s",
      async (javaScriptEnabled) => {
        const context = await browser!.newContext({ baseURL: base, javaScriptEnabled });
        const page = await context.newPage();
        await page.goto("/console/projections");
        await page.fill("[name=email]", keys.operator.email);
        await page.fill("[name=password]", keys.operator.password);
        await page.click("button.main");
        await page.click('a[aria-label="Verify or rebuild templates"]');
        for (const [button, outcome] of [
          ["Verify", "Equal."],
          ["Rebuild", "Done."],
        ] as const) {
          await page.goto("/console/projections/rebuild?name=templates");
          await page.click(`main button:text-is("${button}")`);
          expect(new URL(page.url()).pathname).toMatch(/\/console\/projections\/rebuild\/prl_/);
          // With scripts it changes by itself until it is done.
          const done = page.locator(`.notice:has-text("${outcome}")`);
          if (javaScriptEnabled) await done.waitFor();
          else
            await until(
              async () => {
                const again = page.locator("a:text-is('Look again')");
                if ((await again.count()) > 0) await again.click();
                return (await done.count()) > 0;
              },
              { what: `it says ${outcome}` },
            );
        }
        await context.close();
      },
    );
  },
);
