import diagnostics from "node:diagnostics_channel";
import { afterFile, until } from "@heliograph/testkit";
import { testBrowser } from "@heliograph/testkit/browser";
import { afterAll, describe, expect, test } from "vitest";
import { assets, scriptPath } from "../src/assets.ts";
import { regionsIn } from "../src/live/region.ts";
import { form, openDesk } from "./desk.ts";

const { browser, skip } = await testBrowser();
afterAll(async () => {
  await browser?.close();
});
/** A browser on a busy machine takes its time. */
const stepDeadlineMs = 20_000;
const flowDeadlineMs = 90_000;

const { world, keys, base, fetchPage, signedIn, read } = await openDesk();

/** Paths that the console asks the REST surface for. */
const asked: string[] = [];
const note = (message: unknown): void => {
  asked.push((message as { request: { path: string } }).request.path);
};
diagnostics.subscribe("undici:request:create", note);
afterFile(async () => {
  diagnostics.unsubscribe("undici:request:create", note);
});

type Stream = { readonly text: () => string; readonly over: () => boolean; close(): void };

/** A tab's stream, as its script opens it. */
async function look(
  cookie: string,
  page: string,
  { on = "message", world = "sandbox", since = Date.now() } = {},
): Promise<Stream> {
  const left = new AbortController();
  const query = new URLSearchParams({ page, on, world, since: String(since) });
  const answer = await fetchPage(`/console/live?${query.toString()}`, {
    headers: { cookie },
    signal: left.signal,
  });
  expect(answer.headers.get("content-type")).toContain("text/event-stream");
  expect(answer.headers.get("cache-control")).toContain("no-transform");
  expect(answer.headers.get("x-accel-buffering")).toBe("no");
  let text = "";
  let over = false;
  const reading = (async () => {
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) text += chunk;
  })();
  reading.catch(() => undefined).finally(() => (over = true));
  return { text: () => text, over: () => over, close: () => left.abort() };
}

const send = async (text: string, to = "+15551230001"): Promise<string> => {
  const { status, body } = await world.call("POST", "/api/v1/messages", {
    key: keys.sandboxKey,
    body: { channel: "sms", to, text },
  });
  expect(status).toBe(202);
  return body.id as string;
};

describe("pages that change by themselves", () => {
  test("are made once for all tabs of an agent, whose feed is read once, with each session's own forms", async () => {
    const cookies = await Promise.all([1, 2, 3, 4].map(() => signedIn()));
    const tabs = await Promise.all(
      cookies.flatMap((cookie) => [1, 2, 3].map(() => look(cookie, "/console/messages"))),
    );
    // The feed's end is found first; a page that was read before is made once more.
    await until(() => tabs.every((tab) => tab.text().includes("event: show")), {
      what: "all tabs have what there is",
    });
    asked.length = 0;
    const id = await send("seen by all");
    await until(() => tabs.every((tab) => tab.text().includes(id)), { what: "all tabs show it" });
    const lists = asked.filter((path) => path.startsWith("/api/v1/messages?"));
    const feeds = asked.filter((path) => path.startsWith("/api/v1/events?"));
    expect(lists.length).toBeLessThan(6);
    expect(feeds.length).toBeLessThan(8);
    for (const tab of tabs) tab.close();
  });

  test("have what takes long counted once in three seconds, however many look", async () => {
    const { projectionPool } = world.platform.contexts.sandbox;
    const counts: number[] = [];
    const query = projectionPool.query;
    projectionPool.query = ((...given: [{ name?: string }]) => {
      if (given[0].name === "overview_minutes") counts.push(performance.now());
      return (query as (...all: unknown[]) => unknown).apply(projectionPool, given);
    }) as typeof query;
    afterFile(async () => {
      projectionPool.query = query;
    });
    const cookies = [await signedIn(), await signedIn()];
    // Each of these is a page of its own.
    const pages = ["/console", "/console?minutes=60", "/console?again=1", "/console?again=2"];
    const tabs = await Promise.all(
      cookies.flatMap((cookie) => pages.map((page) => look(cookie, page, { since: 0 }))),
    );
    const shown = async (id: string): Promise<void> => {
      await until(() => tabs.every((tab) => tab.text().includes(id)), { what: "all show it" });
    };
    // They are made again each second while messages come.
    for (const text of ["one", "two", "three", "four"]) await shown(await send(text));
    const begun = counts[0]!;
    const took = counts.at(-1)! - begun;
    // A minute that begins meanwhile is another window.
    expect(counts.length).toBeLessThanOrEqual(2 + took / 3_000);
    for (const tab of tabs) tab.close();
  });

  test("end with the session, wherever it ends, and do not keep it", async () => {
    const [here, elsewhere, idle] = await Promise.all([signedIn(), signedIn(), signedIn()]);
    const tabs = await Promise.all(
      [here, elsewhere, idle].map((cookie) => look(cookie!, "/console/messages")),
    );
    const pool = world.platform.platformPool;
    const press = form(
      { csrf: (await read(here!, "/console")).match(/name="csrf" value="([^"]+)"/)![1]! },
      { cookie: here! },
    );
    expect((await fetchPage("/console/sign-out", press)).status).toBe(303);
    await until(() => tabs[0]!.over(), { what: "the tab that signed out is over" });
    // Another process ended these: nothing is told behind that.
    await pool.query("update console.sessions set used_at = now() - interval '3 hours'");
    const id = await send("after the end");
    await until(() => tabs.every((tab) => tab.over()), { what: "all are over" });
    for (const tab of tabs) {
      expect(tab.text()).toContain("event: end\ndata: Your session has ended");
      expect(tab.text()).not.toContain(id);
    }
  });

  test("end when the platform ends a session, and go on for everybody else", async () => {
    const first = await look(await signedIn(), "/console/messages");
    await until(() => first.text().includes("event: show"), { what: "the feed is followed" });
    const call = (method: string, path: string, token?: string, body?: object) =>
      world.call(method, `/api/v1${path}`, {
        ...(token !== undefined && { key: token }),
        ...(body !== undefined && { body }),
      });
    const device = { name: "Telephone", platform: "web" };
    const entered = await call("POST", "/mobile/sessions", undefined, {
      ...keys.agent,
      environment: "sandbox",
      device,
    });
    const token = entered.body.access_token as string;
    const { body } = await call("GET", "/mobile/sessions", token);
    for (const { id } of body.data as { id: string }[])
      if (id !== entered.body.session_id) await call("DELETE", `/mobile/sessions/${id}`, token);
    const second = await look(await signedIn(), "/console/messages", { since: 0 });
    await send("behind the end");
    await until(() => first.over(), {
      what: "the tab whose session ended is over",
    });
    const id = await send("for the others");
    await until(() => second.text().includes(id), { what: "the other tab is told" });
    expect(first.text()).toContain("event: end\ndata: Your session has ended");
    expect(first.text()).not.toContain(id);
    second.close();
  });

  test("are refused in words that are not asked for again", async () => {
    const cookie = await signedIn();
    const other = await look(cookie, "/console/messages", { world: "live" });
    const nobody = await look("", "/console/messages");
    await until(() => other.over() && nobody.over(), { what: "both are over" });
    expect(other.text()).toContain("event: end\ndata: This page is of the other world");
    expect(nobody.text()).toContain("event: end");
    // The last two are a page and a file, of which no part changes by itself.
    for (const page of [
      "/console/nowhere",
      "https://evil.example/",
      "//evil.example/console",
      "http://[",
      "/console/limits",
      "/console/usage/usage.csv",
    ]) {
      const query = new URLSearchParams({ page, world: "sandbox" }).toString();
      expect((await fetchPage(`/console/live?${query}`, { headers: { cookie } })).status).toBe(400);
    }
  });

  test("are no use of the session, however often they are made again", async () => {
    const cookie = await signedIn();
    const { pool } = world.platform.contexts.sandbox;
    const said = { channel: "sms", from: "+15557778123", text: "the first word" };
    await world.call("POST", "/api/v1/sandbox/inbound", { key: keys.sandboxKey, body: said });
    const { id } = await until(
      async () =>
        (await world.call("GET", "/api/v1/conversations", { key: keys.sandboxKey })).body.data[0],
      { what: "the conversation" },
    );
    const tab = await look(cookie, `/console/conversations/${id}`, { on: id });
    const { platformPool } = world.platform;
    const idle = "now() - interval '119 minutes'";
    await platformPool.query(`update console.sessions set used_at = ${idle}`);
    // A stream that breaks is opened again by the page itself.
    const again = await look(cookie, "/console/messages");
    again.close();
    // Tokens that end meanwhile are renewed: neither is that.
    await pool.query("update sessions.sessions set access_until = now() - interval '1 second'");
    const next = { ...said, text: "the next word" };
    await world.call("POST", "/api/v1/sandbox/inbound", { key: keys.sandboxKey, body: next });
    await until(() => tab.text().includes("the next word"), { what: "the thread grows" });
    expect(tab.text()).toContain('id="live-thread"');
    const { rows } = await platformPool.query(
      "select count(*)::int as used from console.sessions where used_at > now() - interval '1 minute'",
    );
    expect(rows[0].used).toBe(0);
    await platformPool.query(
      "update console.sessions set used_at = now() - interval '121 minutes'",
    );
    await world.call("POST", "/api/v1/sandbox/inbound", {
      key: keys.sandboxKey,
      body: { ...said, text: "nobody sits there" },
    });
    await until(() => tab.over(), { what: "the tab is over" });
    expect(tab.text()).not.toContain("nobody sits there");
  });

  test(
    "show an inbox and a thread as they grow: who writes, what a colleague answers, and what becomes of it",
    { timeout: flowDeadlineMs },
    async () => {
      const cookie = await signedIn();
      const call = (method: string, path: string, body?: object) =>
        world.call(method, `/api/v1${path}`, { key: keys.sandboxKey, ...(body && { body }) });
      const writes = (text: string) =>
        call("POST", "/sandbox/inbound", { channel: "sms", from: "+15557778200", text });
      /** As the page's own script asks, with what the page says that it depends on. */
      const lookAt = async (path: string, name: string): Promise<Stream> => {
        const { on } = regionsIn(await read(cookie, path)).find(({ id }) => id === `live-${name}`)!;
        return look(cookie, path, { on });
      };
      const inbox = await lookAt("/console/conversations", "inbox");
      await writes("the parcel is late");
      await until(() => inbox.text().includes("the parcel is late"), { what: "the inbox grows" });
      const [, id] = /\/console\/conversations\/(cnv_\w+)/.exec(inbox.text())!;

      const thread = await lookAt(`/console/conversations/${id}`, "thread");
      const sent = await call("POST", `/conversations/${id}/messages`, { text: "it comes today" });
      expect(sent.status).toBe(202);
      await until(() => inbox.text().includes("<bdi>it comes today</bdi>"), {
        what: "the answer is the last of the inbox",
      });
      await until(() => /it comes today.*?pill good">delivered/s.test(thread.text()), {
        what: "the thread shows the answer and what became of it",
      });
      await call("POST", `/conversations/${id}/close`);
      await until(() => !inbox.text().split("event: show").at(-1)!.includes(id!), {
        what: "what is closed leaves the inbox",
      });
      for (const tab of [inbox, thread]) tab.close();
    },
  );

  test("leave a browser a connection for its next page", async () => {
    const cookie = await signedIn();
    const tabs: Stream[] = [];
    for (let at = 0; at < 7; at++) tabs.push(await look(cookie, "/console/messages"));
    await until(() => tabs[0]!.over() && tabs[1]!.over(), { what: "the oldest two are over" });
    expect(tabs.slice(2).some((tab) => tab.over())).toBe(false);
    for (const tab of tabs) tab.close();
  });
});

test("one message is three calls, and shows what was told of it however long ago", async () => {
  const call = (method: string, path: string, body?: object) =>
    world.call(method, `/api/v1${path}`, { key: keys.sandboxKey, ...(body && { body }) });
  const { body: endpoint } = await call("POST", "/webhook-endpoints", {
    url: "http://127.0.0.1:9/hooks",
  });
  const id = await send("told to an endpoint");
  const found = await until(
    async () => (await call("GET", `/webhook-deliveries?message_id=${id}`)).body.data[0],
    { what: "its delivery is on record" },
  );
  // More than one page of newer ones.
  await world.platform.contexts.sandbox.pool.query(
    `insert into webhooks.deliveries (id, endpoint_id, position, partner, event_id, type, sequence, status, attempts, created_at)
     select 'whd_later' || n, endpoint_id, position + 1000000, partner, 'evt_later' || n, type, sequence, 'delivered', '[]', created_at
     from webhooks.deliveries, generate_series(1, 150) n where id = $1`,
    [found.id],
  );
  const cookie = await signedIn();
  asked.length = 0;
  const text = await read(cookie, `/console/messages/${id}`);
  expect(text).toContain(`/console/webhooks/${endpoint.id}/deliveries/${found.id}`);
  expect(asked.filter((path) => path.startsWith("/api") && path.includes(id))).toHaveLength(3);
});

test("the script is small, and is named by what it holds", async () => {
  const { body } = assets.get(scriptPath)!;
  expect(body.length).toBeLessThanOrEqual(4_096);
  const answer = await fetchPage(scriptPath);
  expect(answer.headers.get("content-type")).toContain("javascript");
  expect(await read(await signedIn(), "/console/shortcuts")).toContain("<kbd>g</kbd> then <kbd>m");
});

describe.skipIf(browser === undefined)(
  `in a browser${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    test(
      "a list grows under the eyes, keeps focus, and stands still where somebody asks for it; keys lead",
      { timeout: flowDeadlineMs },
      async () => {
        await send("first");
        const context = await browser!.newContext({ baseURL: base });
        await context.addInitScript(
          "window.streams = []; EventSource = class extends EventSource { constructor(at) { super(at); streams.push(this); } }",
        );
        const page = await context.newPage();
        page.setDefaultTimeout(stepDeadlineMs);
        await page.goto("/console/sign-in");
        await page.fill("[name=email]", keys.agent.email);
        await page.fill("[name=password]", keys.agent.password);
        await page.click("button.main");

        // Two keys belong together for two seconds, which a busy machine may need between them.
        await until(
          async () => {
            await page.keyboard.press("g");
            await page.keyboard.press("m");
            // Pressed again while the page comes, they would ask for it once more.
            return page.waitForURL("**/console/messages", { timeout: 5_000 }).then(
              () => true,
              () => false,
            );
          },
          { what: "g m leads to the messages" },
        );
        await page.keyboard.press("/");
        await page.keyboard.type("g?/");
        expect(await page.evaluate("document.activeElement.value")).toBe("g?/");
        await page.focus("td a");
        const held = await page.evaluate("document.activeElement.href");
        const id = await send("second");
        await page.waitForSelector(`tr:first-child a[href$="${id}"]`);
        expect(await page.evaluate("document.activeElement.href")).toBe(held);
        expect(await page.inputValue("#f-to")).toBe("g?/");
        expect(await page.textContent("[data-live-said]")).toContain("Live");

        await page.click("[data-live-bar] button");
        const missed = await send("third");
        await page.waitForFunction(
          "document.querySelector('[data-live-said]').textContent === 'Paused'",
        );
        expect(await page.locator(`a[href$="${missed}"]`).count()).toBe(0);
        await page.click("[data-live-bar] button");
        await page.waitForSelector(`tr:first-child a[href$="${missed}"]`);

        // Neither a tab that nobody sees nor a page that was left keeps a connection from others.
        const open = () => page.evaluate("streams.filter((each) => each.readyState < 2).length");
        expect(await open()).toBe(1);
        await page.evaluate(
          "Object.defineProperty(document, 'hidden', { get: () => true, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))",
        );
        expect(await open()).toBe(0);
        await page.evaluate(
          "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))",
        );
        expect(await open()).toBe(1);
        await page.evaluate("dispatchEvent(new Event('pagehide'))");
        expect(await open()).toBe(0);

        await page.focus("[data-live-bar] button");
        await page.keyboard.press("?");
        await page.waitForURL("**/console/shortcuts");
        await page.uncheck("[data-keys]");
        await page.locator("h1").click();
        await page.keyboard.press("/");
        expect(new URL(page.url()).pathname).toBe("/console/shortcuts");
        await context.close();
      },
    );
  },
);
