import { join } from "node:path";
import { Router } from "@heliograph/api";
import { deterministicId } from "@heliograph/contracts";
import { testBrowser, type Page } from "@heliograph/testkit/browser";
import { openLook, type Look } from "@heliograph/testkit/look";
import { until } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allPages } from "../src/pages/index.ts";
import { curlFaults } from "./curl-of-forms.ts";
import { form, hiddenIn, openDesk, type Desk } from "./desk.ts";

const { browser, skip } = await testBrowser();
/** Seventy kinds of page, of which each takes a third of a second on a quiet machine; browsers are slow on a busy one. */
const wantsAll = process.env["HELIOGRAPH_TEST_PICTURES"] === "all";
const walkDeadlineMs = wantsAll ? 900_000 : 180_000;
const stepDeadlineMs = 60_000;

/** Which page an address is, as the console finds it. */
const router = new Router<(typeof allPages)[number]>();
for (const each of allPages) router.add(each.method, `/console${each.path}`, each);
const demoPartnerId = deterministicId("ptn", "demo");
const kept = { target: { live: true } };

const { world, keys, base, fetchPage, press, read, signedIn }: Desk = await openDesk();
let look: Look;
let page: Page;

/** Not in the repository; a run leaves its pictures here. */
const pictures = join(import.meta.dirname, "../../../.cache/screenshots/console");

beforeAll(async () => {
  if (browser === undefined) return;
  look = await openLook(browser, { address: `${base}/console/sign-in`, pictures });
  page = await browser.newPage({ baseURL: base, viewport: { width: 360, height: 800 } });
  page.setDefaultTimeout(stepDeadlineMs);
});
afterAll(async () => {
  await browser?.close();
});

/** By the log, which no read model is behind. */
const messages = async (): Promise<number> => {
  const { log } = world.platform.contexts.sandbox;
  return (await log.readAll({ after: 0n, limit: 1_000, types: ["MessageRequested"] })).events
    .length;
};

const without = (fields: Record<string, string>, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter(([each]) => each !== name));

describe("whoever is not signed in", () => {
  test("is shown the way in, and nothing else", async () => {
    const front = await fetchPage("/console");
    expect(front.status).toBe(200);
    expect(await front.text()).toContain('name="totp"');
    for (const path of ["/console/messages", "/console/wallet", "/console/nowhere"]) {
      const { status, headers } = await fetchPage(path);
      expect([status, headers.get("location")]).toEqual([
        303,
        `/console/sign-in?to=${encodeURIComponent(path)}`,
      ]);
    }
    const deep = "/console/messages?status=failed&channel=sms&from=2026-05-01T00%3A00";
    const { headers } = await fetchPage(deep);
    const door = headers.get("location")!;
    expect(door).toBe(`/console/sign-in?to=${encodeURIComponent(deep)}`);
    const wrong = {
      ...keys.agent,
      password: "wrong",
      ...hiddenIn(await (await fetchPage(door)).text(), "/console/sign-in"),
    };
    const refused = await fetchPage("/console/sign-in", form(wrong));
    expect(refused.status).toBe(401);
    const { to } = hiddenIn(await refused.text(), "/console/sign-in");
    const entered = await fetchPage("/console/sign-in", form({ ...keys.agent, to: to! }));
    expect(entered.headers.get("location")).toBe(deep);
  });

  test("gets one address for a page", async () => {
    for (const [path, to] of [
      ["/console/", "/console"],
      ["/console/messages/?status=sent", "/console/messages?status=sent"],
      ["/console//evil.example//", "/console//evil.example"],
    ]) {
      const { status, headers } = await fetchPage(path!);
      expect([status, headers.get("location")]).toEqual([308, to]);
    }
  });

  test("gets pages that are kept nowhere, framed by nobody, and run nothing", async () => {
    const { headers } = await fetchPage("/console");
    const policy = headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("referrer-policy")).toBe("same-origin");
  });

  test("is told the same for a wrong password and for an address that nobody has", async () => {
    const { email } = keys.agent;
    const [wrong, unknown] = await Promise.all(
      [email, "nobody@example.com"].map(async (name) => {
        const answer = await fetchPage(
          "/console/sign-in",
          form({ email: name, password: "wrong" }),
        );
        return [answer.status, (await answer.text()).replaceAll(name, "")];
      }),
    );
    expect(wrong![0]).toBe(401);
    expect(wrong).toEqual(unknown);
  });
});

describe("a sign-in", () => {
  test("with a wrong password counts as one try", async () => {
    // Of an account from one place twenty are let through.
    const tries = Array.from({ length: 16 }, () =>
      fetchPage("/console/sign-in", form({ email: "guessed@example.com", password: "wrong" })),
    );
    for (const { status } of await Promise.all(tries)) expect(status).toBe(401);
  });
});

describe("a session", () => {
  test("begins in the sandbox under a cookie that only this host has, and ends for good", async () => {
    const answer = await fetchPage(
      "/console/sign-in",
      form({ ...keys.agent, to: "https://evil.example/" }, { cookie: "__Host-session=fixed" }),
    );
    const [cookie] = answer.headers.getSetCookie();
    expect(answer.headers.get("location")).toBe("/console");
    expect(cookie).toMatch(
      /^__Host-session=[\w-]{43}; Max-Age=\d+; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
    );
    const headers = { cookie: cookie!.split(";")[0]! };
    const text = await (await fetchPage("/console", { headers })).text();
    expect(text).toContain('data-look="sandbox"');
    const left = await fetchPage(
      "/console/sign-out",
      form(hiddenIn(text, "/console/sign-out"), headers),
    );
    expect(left.status).toBe(303);
    expect((await fetchPage("/console/wallet", { headers })).status).toBe(303);
  });

  test("is in the database neither as the cookie nor as the platform's tokens", async () => {
    const cookie = await signedIn();
    const { rows } = await world.platform.platformPool.query("select * from console.sessions");
    const stored = JSON.stringify(
      rows.map((row) => ({ ...row, sha256: row.sha256.toString("latin1") })),
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(stored).not.toContain(cookie.split("=")[1]);
    expect(stored).not.toMatch(/as_test_|refresh|demo@/);
    // A row with another's tokens opens nothing.
    await world.platform.platformPool.query(
      "insert into console.sessions (sha256, sealed, ends_at) select sha256('x'), sealed, ends_at from console.sessions limit 1",
    );
    expect((await fetchPage("/console", { headers: { cookie: "__Host-session=x" } })).status).toBe(
      500,
    );
  });

  test("renews the platform's tokens once when two pages need them at once", async () => {
    const cookie = await signedIn();
    await world.platform.contexts.sandbox.pool.query(
      "update sessions.sessions set access_until = now() - interval '1 second'",
    );
    const pages = await Promise.all(
      ["/console", "/console/messages", "/console/wallet"].map((path) =>
        fetchPage(path, { headers: { cookie } }),
      ),
    );
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test("that the platform ended leads to the sign-in", async () => {
    const cookie = await signedIn();
    await world.platform.contexts.sandbox.pool.query(
      "update sessions.sessions set ended_at = now(), access_until = now(), refresh_until = now()",
    );
    // The platform looks a session up again within half a second.
    const answer = await until(
      async () => {
        const found = await fetchPage("/console/messages", { headers: { cookie } });
        return found.status === 303 && found;
      },
      { what: "the session's end is seen" },
    );
    expect(answer.headers.get("location")).toBe(
      "/console/sign-in?ended=1&to=%2Fconsole%2Fmessages",
    );
  });

  test("acts for nobody but its own forms", async () => {
    const cookie = await signedIn();
    const text = await read(cookie, "/console/send");
    const fields = {
      ...hiddenIn(text, "/console/send"),
      channel: "sms",
      to: "+15551230001",
      text: "x",
    };
    const before = await messages();
    for (const [given, headers] of [
      [fields, { "sec-fetch-site": "cross-site" }],
      [fields, { "sec-fetch-site": "same-site" }],
      [fields, { origin: "https://evil.example" }],
      [{ ...fields, csrf: "" }, { "sec-fetch-site": "same-origin" }],
      [without(fields, "csrf"), { "sec-fetch-site": "same-origin" }],
      [without(fields, "csrf"), { "sec-fetch-site": "none", origin: base }],
      [{ channel: "sms", to: "+15551230001", text: "x" }, {}],
    ] as [Record<string, string>, Record<string, string>][]) {
      const answer = await fetchPage("/console/send", form(given, { cookie, ...headers }));
      expect(answer.status).toBe(403);
    }
    expect(
      (await fetchPage("/console/sign-in", form(keys.agent, { "sec-fetch-site": "cross-site" })))
        .status,
    ).toBe(403);
    expect(await messages()).toBe(before);
  });

  test("sends one message however often one form is posted, and none from the other world's form", async () => {
    const cookie = await signedIn();
    const text = await read(cookie, "/console/send");
    const fields: Record<string, string> = {
      ...hiddenIn(text, "/console/send"),
      channel: "sms",
      to: "+15551230001",
      text: "once",
    };
    const before = await messages();
    const sent = await Promise.all(
      [1, 2, 3].map(() => fetchPage("/console/send", form(fields, { cookie }))),
    );
    const places = new Set(sent.map(({ headers }) => headers.get("location")));
    expect(sent.map(({ status }) => status)).toEqual([303, 303, 303]);
    expect([...places]).toEqual([expect.stringMatching(/^\/console\/messages\/msg_/)]);
    expect(await messages()).toBe(before + 1);

    // Back is the same address, where the form finds its key again, whatever the browser kept.
    const entry = (await fetchPage("/console/send?to=x", { headers: { cookie } })).headers;
    const address = entry.get("location")!;
    expect(address).toMatch(/^\/console\/send\?to=x&key=./);
    const from = async (said: string) => {
      const own = hiddenIn(await read(cookie, address), "/console/send");
      const given = { ...own, channel: "sms", to: "+15551230001", text: said };
      return (await fetchPage("/console/send", form(given, { cookie }))).headers.get("location");
    };
    const first = await from("from here");
    expect([await from("from here"), await messages()]).toEqual([first, before + 2]);
    expect([await from("another"), await messages()]).not.toEqual([first, before + 2]);

    const away = { csrf: fields["csrf"]!, environment: "live", back: "/console/send" };
    expect((await fetchPage("/console/environment", form(away, { cookie }))).status).toBe(303);
    const stale = await fetchPage("/console/send", form({ ...fields, key: "another" }, { cookie }));
    expect(stale.status).toBe(409);
    expect(await stale.text()).toContain('data-look="live"');
    expect(await messages()).toBe(before + 3);
  });
});

describe.skipIf(browser === undefined)(
  `in a browser${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    const stranger = `<script>document.title="x"</script><img src=x onerror=alert(1)>\u202eabc`;
    /** A segment that names one of many: a kind of thing and its id, or a month. */
    const idInPath = /\/(?:[a-z]{2,4}_\w+|\d{4}-\d\d)/g;

    /** The same in each run: ids are others. */
    const nameOf = (path: string): string =>
      path
        .replace(/^\/console\/?/, "")
        .replaceAll(/[a-z]{3}_[0-9A-Z]{26}/g, "one")
        .replaceAll(/[^\w-]+/g, "-") || "overview";

    /** People to look at: pages of one kind are looked at once, so each has all that its kind shows. Gives the page of an import. */
    async function seed(): Promise<string> {
      const call = (method: string, path: string, body?: object) =>
        world.call(method, `/api/v1${path}`, { key: keys.sandboxKey, body });
      const message = { channel: "sms", to: "+15551230003", text: stranger + "x".repeat(500) };
      await call("POST", "/messages", message);
      const said = { channel: "sms", from: "+15557779090", text: stranger };
      await call("POST", "/sandbox/inbound", said);
      const conversation = await until(
        async () => (await call("GET", "/conversations")).body.data[0],
        { what: "the conversation" },
      );
      const { id } = conversation.contact;
      await call("PATCH", `/contacts/${id}`, { name: stranger, tags: [stranger] });
      const [granted, withdrawn] = ["granted", "withdrawn"].map((status) => ({
        channel: "sms",
        purpose: "offers",
        status,
        evidence: stranger,
      }));
      for (const consent of [granted, withdrawn])
        await call("POST", `/contacts/${id}/consents`, consent);
      const { body: other } = await call("POST", "/contacts", { name: stranger });
      await call("POST", `/contacts/${other.id}/merge`, { into: id });
      await call("POST", `/conversations/${conversation.id}/notes`, { text: stranger });
      await until(async () => (await call("GET", "/contacts")).body.data.length === 1, {
        what: "the contact is listed",
      });
      const begun = await fetch(`${base}/api/v1/contact-imports`, {
        method: "POST",
        headers: { authorization: `Bearer ${keys.sandboxKey}`, "content-type": "text/csv" },
        body: "name,phone\nBroken,0444\n",
      });
      const { id: imported } = (await begun.json()) as { id: string };
      await until(
        async () => (await call("GET", `/contact-imports/${imported}`)).body.failed === 1,
        { what: "the import is done" },
      );
      return `/console/contacts/import/${imported}`;
    }

    /** An endpoint with a delivery that nobody took, and somebody's wish for an evaluation. */
    async function seedAccount(): Promise<void> {
      const { body: endpoint } = await world.call("POST", "/api/v1/webhook-endpoints", {
        key: keys.sandboxKey,
        body: { url: "http://127.0.0.1:9/hooks", description: stranger },
      });
      await world.call("POST", `/api/v1/webhook-endpoints/${endpoint.id}/test`, {
        key: keys.sandboxKey,
      });
      await world.call("POST", "/api/v1/evaluations", {
        body: {
          company: "Acme",
          name: "Ada <script>",
          email: "ada@acme.example",
          use_case: "Order confirmations",
          website: "https://acme.example",
        },
      });
    }

    const linksIn = (text: string): readonly string[] =>
      [...text.matchAll(/<a (?![^>]*\bdownload)[^>]*?href="(\/console[^"#]*)/g)].map(([, href]) =>
        href!.replaceAll("&amp;", "&"),
      );

    /** Looks at these pages and at all that is linked from them, at one of a kind: messages are alike. Gives what is wrong with them. */
    async function walk(
      cookie: string,
      from: readonly string[],
      { seen = new Set<string>(), under = "" } = {},
    ): Promise<readonly string[]> {
      const findings: string[] = [];
      const next = [...from];
      for (const path of next) {
        const text = await read(cookie, path);
        findings.push(...(await look.at(under + nameOf(path), text)));
        findings.push(...curlFaults(text).map((fault) => `${under}${path}: ${fault}`));
        const match = router.match("GET", new URL(path, base).pathname);
        // Only what is known to change by itself is kept up to date.
        if (/ data-live="/.test(text)) expect([path, match]).toMatchObject([path, kept]);
        for (const link of linksIn(text)) {
          const kind = link.split("?")[0]!.replace(idInPath, "/:id");
          if (seen.has(kind)) continue;
          seen.add(kind);
          next.push(link);
        }
      }
      return findings;
    }

    const enteredLive = async (who: typeof keys.agent): Promise<string> => {
      const cookie = await signedIn(who);
      await press(cookie, "/console", "/console/environment", { environment: "live" });
      return cookie;
    };

    test(
      "every page is sound, in both themes and in forced colours, on a phone, on a wall and on paper",
      { timeout: walkDeadlineMs },
      async () => {
        const door = await (await fetchPage("/console/sign-in")).text();
        const findings = [...(await look.at("sign-in", door))];
        await seedAccount();
        const seen = new Set<string>();
        const agent = await signedIn();
        const first = ["/console", "/console/messages?status=canceled", await seed()];
        findings.push(...(await walk(agent, first, { seen })));
        findings.push(...(await look.at("nowhere", await read(agent, "/console/nowhere", 404))));
        // The operator's own: what a partner's agent was shown is the same page.
        const operator = await signedIn(keys.operator);
        findings.push(...(await walk(operator, ["/console"], { seen })));
        // Of the other world only what is to be seen and done there alone, or all of it where it is to be looked at.
        const inLive = wantsAll ? new Set<string>() : seen;
        const forOperators = ["prices/new-version", `partners/${demoPartnerId}`, "gateways"];
        for (const [who, from] of [
          [keys.agent, ["/console"]],
          [keys.operator, forOperators.map((each) => `/console/${each}`)],
        ] as const) {
          const live = await enteredLive(who);
          findings.push(...(await walk(live, from, { seen: inLive, under: "live-" })));
        }
        expect(findings).toEqual([]);
        for (const kind of [
          "/contacts/:id",
          "/contacts/:id/merge",
          "/conversations/:id",
          "/webhooks/:id/deliveries/:id",
          "/evaluations/:id",
          "/partners/:id",
        ])
          expect([...seen]).toContain(`/console${kind}`);
      },
    );

    test("the world is seen and changed in one click, and a session ends in one", async () => {
      await page.goto("/console/wallet");
      await page.fill("[name=email]", keys.agent.email);
      await page.fill("[name=password]", keys.agent.password);
      await page.click("button.main");
      expect(new URL(page.url()).pathname).toBe("/console/wallet");
      await page.goto("/console");
      await page.click(".switch button[value=live]");
      expect(await page.getAttribute("html", "data-look")).toBe("live");
      expect(await page.title()).toContain("Live");
      await page.click(".switch button[value=sandbox]");
      await page.click(".leave button");
      // A click waits for the next page's beginning; one can go back from it when it is there.
      await page.waitForURL("**/console/sign-in", { waitUntil: "load" });
      await page.goBack();
      expect(await page.locator("[name=password]").count()).toBe(1);
    });
  },
);
