import { testBrowser } from "@heliograph/testkit/browser";
import { until } from "@heliograph/testkit";
import { afterAll, expect, test } from "vitest";
import { openDesk } from "./desk.ts";

const { browser, skip } = await testBrowser();
afterAll(async () => {
  await browser?.close();
});
/** A browser on a busy machine takes its time. */
const crawlDeadlineMs = 120_000;
const { world, keys, base, fetchPage, signedIn } = await openDesk();

const mark = "zebra";
const hostile = `"'><script>window.ran=1</script><img src=x onerror=window.ran=1>${mark}`;

/** What strangers and partners fill in, with markup in each of it. */
async function fill(): Promise<void> {
  const call = async (path: string, body: object): Promise<void> => {
    const answer = await world.call("POST", `/api/v1${path}`, { key: keys.sandboxKey, body });
    expect([path, answer.status, answer.status < 300 ? "" : answer.body]).toEqual([
      path,
      answer.status,
      "",
    ]);
  };
  const tag = `${mark}<b>`;
  await call("/messages", {
    channel: "sms",
    to: "+15551230003",
    text: hostile,
    client_ref: hostile,
    tags: [tag],
  });
  await call("/contacts", {
    name: hostile,
    tags: [tag],
    attributes: { note: hostile },
    external_ids: [{ source: "crm", id: hostile }],
  });
  await call("/sandbox/inbound", {
    channel: "whatsapp",
    from: "+15551230042",
    text: hostile,
    profile_name: hostile,
  });
  await call("/webhook-endpoints", { url: "https://hooks.example.org/x", description: hostile });
  await call("/agents", { name: hostile, email: "zebra@example.org", role: "viewer" });
  await call("/templates", {
    slug: "zebra",
    channel: "sms",
    description: hostile,
    default_language: "en",
    languages: { en: { text: hostile } },
  });
}

/** Every page that is linked from one, one of a kind, with its text. */
async function crawl(cookie: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  const kinds = new Set<string>();
  const next = ["/console"];
  for (const path of next) {
    const answer = await fetchPage(path, { headers: { cookie } });
    if (!answer.headers.get("content-type")?.startsWith("text/html")) {
      await answer.body?.cancel();
      continue;
    }
    const text = await answer.text();
    texts.set(path, text);
    for (const [, href] of text.matchAll(/href="(\/console[^"#]*)"/g)) {
      const link = href!.replaceAll("&amp;", "&");
      const kind = link.split("?")[0]!.replaceAll(/[a-z]{3}_[0-9A-Z]{26}/g, ":id");
      if (kinds.has(kind) || kind.includes("/assets/")) continue;
      kinds.add(kind);
      next.push(link);
    }
  }
  return texts;
}

test(
  "what strangers fill in is text on every page, and nothing of it runs",
  {
    timeout: crawlDeadlineMs,
  },
  async () => {
    await fill();
    const cookie = await signedIn();
    const texts = await until(
      async () => {
        const found = await crawl(cookie);
        return [...found.values()].filter((text) => text.includes(mark)).length > 7 && found;
      },
      { what: "the pages show it" },
    );
    for (const [path, text] of texts) {
      expect([path, text.includes("<script>window")]).toEqual([path, false]);
      expect([path, text.includes("<img src=x")]).toEqual([path, false]);
    }
    if (browser === undefined) return expect(skip).toBeDefined();
    const context = await browser.newContext({ baseURL: base });
    await context.addInitScript(
      "addEventListener('securitypolicyviolation', (event) => (window.broke = event.blockedURI || 'inline'))",
    );
    const page = await context.newPage();
    await page.goto("/console/sign-in");
    await page.fill("[name=email]", keys.agent.email);
    await page.fill("[name=password]", keys.agent.password);
    await page.click("button.main");
    for (const [path, text] of texts) {
      if (!text.includes(mark)) continue;
      await page.goto(path);
      const found = await page.evaluate("[window.ran, window.broke].join()");
      expect([path, found]).toEqual([path, ","]);
    }
    await context.close();
  },
);

test("a session ends when nobody uses it, and by the next day whoever does", async () => {
  const pool = world.platform.platformPool;
  for (const change of [
    "used_at = now() - interval '121 minutes'",
    "ends_at = now() - interval '1 second'",
  ]) {
    const cookie = await signedIn();
    const visit = async (): Promise<number> =>
      (await fetchPage("/console/messages", { headers: { cookie } })).status;
    expect(await visit()).toBe(200);
    await pool.query(`update console.sessions set ${change}`);
    expect(await visit()).toBe(303);
  }
});
