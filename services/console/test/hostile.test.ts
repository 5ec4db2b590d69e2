import { deterministicId } from "@heliograph/contracts";
import { afterFile, smtpSink, until } from "@heliograph/testkit";
import { testBrowser } from "@heliograph/testkit/browser";
import { afterAll, expect, test } from "vitest";
import { allPages } from "../src/pages/index.ts";
import { openDesk } from "./desk.ts";

const { browser, skip } = await testBrowser();
afterAll(async () => {
  await browser?.close();
});
/** A browser on a busy machine takes its time. */
const crawlDeadlineMs = 120_000;
const { world, keys, base, fetchPage, press, signedIn } = await openDesk();

/** Of each field that somebody can fill: what its markup would do, and the name by which it is found again. */
const hostile = (field: string): string =>
  `"'><script>window.ran=1</script><img src=x onerror=window.ran=1>zebra-${field}`;
const marks = (text: string): readonly string[] =>
  [...text.matchAll(/zebra-[a-z]+/g)].map(([found]) => found);

const demo = deterministicId("ptn", "demo");

async function call(key: string, path: string, body: object, method = "POST") {
  const answer = await world.call(method, `/api/v1${path}`, { key, body });
  const told = answer.status < 300 ? "" : answer.body;
  expect([path, answer.status, told]).toEqual([path, answer.status, ""]);
  return answer.body;
}
const ours = (path: string, body: object, method?: string) =>
  call(keys.sandboxKey, path, body, method);
const admins = (path: string, body: object, method?: string) =>
  call(keys.adminKey, path, body, method);

/** What partners, contacts and receivers fill in, with markup in each of it. Gives the pages of what it made. */
async function fill(): Promise<readonly string[]> {
  const message = await ours("/messages", {
    channel: "sms",
    to: "+15551230003",
    text: hostile("text"),
    client_ref: hostile("ref"),
    tags: ["zebra-tag<b>"],
  });
  const contact = await ours("/contacts", {
    name: hostile("contact"),
    tags: ["zebra-label<b>"],
    attributes: { note: hostile("attribute") },
    external_ids: [{ source: "crm", id: hostile("id") }],
  });
  await ours(`/contacts/${contact.id}/consents`, {
    channel: "sms",
    purpose: "offers",
    status: "granted",
    evidence: hostile("evidence"),
  });
  await ours("/sandbox/inbound", {
    channel: "whatsapp",
    from: "+15551230042",
    text: hostile("said"),
    profile_name: hostile("profile"),
    media: [{ url: 'https://files.example/"><script>', name: hostile("file"), type: "x/<b>" }],
  });
  await ours("/webhook-endpoints", {
    url: "https://hooks.example.org/x",
    description: hostile("hook"),
  });
  await ours("/agents", { name: hostile("agent"), email: "zebra@example.org", role: "viewer" });
  await ours("/teams", { name: hostile("team"), agent_ids: [], routing: "manual" });
  const key = await ours("/keys", { name: hostile("key"), scopes: ["messages:read"] });
  await ours("/templates", {
    slug: "zebra",
    channel: "sms",
    description: hostile("template"),
    default_language: "en",
    languages: { en: { text: hostile("words") } },
  });
  const conversation = await until(
    async () =>
      (await world.call("GET", "/api/v1/conversations", { key: keys.sandboxKey })).body.data[0],
    { what: "the conversation" },
  );
  await ours(`/conversations/${conversation.id}/notes`, { text: hostile("note") });
  return [
    `/console/messages/${message.id}`,
    `/console/contacts/${contact.id}`,
    `/console/conversations/${conversation.id}`,
    `/console/keys/${key.id}`,
  ];
}

/** A mail that its server refuses in words of its own: in live, since in the sandbox no provider is asked. Gives its page. */
async function providerSays(): Promise<string> {
  const sink = await smtpSink();
  afterFile(() => sink.close());
  sink.behave({ type: "reject-recipient", code: 550, text: `5.1.1 ${hostile("provider")}` });
  const gateway = await admins("/admin/gateways", {
    name: "zebra-mail",
    environment: "live",
    channel: "email",
    kind: "smtp",
    settings: { url: `smtp://${sink.host}:${sink.port}`, from: "a@sender.example" },
  });
  const rule = { match: { channel: "email", sender: hostile("sender") }, gateways: [gateway.id] };
  const all = { match: { channel: "email" }, gateways: [gateway.id] };
  const rules = [rule, all].map((each) => ({ ...each, policy: "priority", failover: false }));
  await admins("/admin/routing", { environment: "live", rules }, "PUT");
  const mail = {
    channel: "email",
    to: "nobody@real.example",
    subject: hostile("subject"),
    text: "x",
  };
  await admins("/wallet/topups", {
    partner_id: demo,
    amount: "5",
    reference: hostile("reference"),
  });
  const { id } = await call(keys.liveKey, "/messages", mail);
  await until(
    async () =>
      ["failed", "bounced"].includes(
        (await world.call("GET", `/api/v1/messages/${id}`, { key: keys.liveKey })).body.status,
      ),
    { what: "the provider refuses" },
  );
  return `/console/messages/${id}`;
}

/** What visitors and partners fill in that operators look at. */
async function fillForOperators(): Promise<readonly string[]> {
  const asked = await world.call("POST", "/api/v1/evaluations", {
    body: {
      company: hostile("company"),
      name: hostile("visitor"),
      email: "zebra@company.example",
      use_case: hostile("case"),
      website: "https://company.example/?a=zebra-website",
      expected_volume: hostile("volume"),
    },
  });
  expect(asked.status).toBe(202);
  await admins(`/admin/evaluations/${asked.body.id}/note`, { text: hostile("remark") });
  const partner = await admins("/admin/partners", { name: hostile("partner") });
  await world.platform.contexts.sandbox.pool.query(
    "insert into runtime.dead_letters (consumer, position, event_id, event_type, reason) values ('nobody', 1, gen_random_uuid(), 'MessageSent', $1)",
    [hostile("reason")],
  );
  // Their names stand at the top of every page.
  await admins(`/admin/partners/${demo}`, { name: hostile("tenant") }, "PATCH");
  return [`/console/evaluations/${asked.body.id}`, `/console/partners/${partner.id}`];
}

type Seen = { readonly text: string; readonly headers: Headers };

/** These pages and, from the overview on, every page that is linked from one, one of a kind. */
async function crawl(cookie: string, from: readonly string[]): Promise<ReadonlyMap<string, Seen>> {
  const seen = new Map<string, Seen>();
  const kinds = new Set<string>();
  const next = [...from];
  for (const path of next) {
    const answer = await fetchPage(path, { headers: { cookie } });
    if (!answer.headers.get("content-type")?.startsWith("text/html")) {
      await answer.body?.cancel();
      continue;
    }
    const text = await answer.text();
    seen.set(path, { text, headers: answer.headers });
    if (!from.includes("/console")) continue;
    for (const [, href] of text.matchAll(/href="(\/console[^"#]*)"/g)) {
      const link = href!.replaceAll("&amp;", "&");
      const kind = link.split("?")[0]!.replaceAll(/[a-z]{3}_[0-9A-Z]{26}/g, ":id");
      if (kinds.has(kind) || kind.includes("/assets/")) continue;
      kinds.add(kind);
      next.push(link);
    }
  }
  return seen;
}

/** Nothing of a stranger is markup; no other site frames a page; every form is of this session. */
function requireSound(path: string, { text, headers }: Seen): void {
  expect([path, text.match(/<script>|<img src=x|<b>(?=")|javascript:/g)]).toEqual([path, null]);
  const policy = headers.get("content-security-policy");
  expect([path, policy]).toEqual([path, expect.stringContaining("frame-ancestors 'none'")]);
  // Without a validator no answer is "the same as before", whoever asks again.
  const kept = ["x-frame-options", "cache-control", "etag", "last-modified"];
  expect([path, ...kept.map((name) => headers.get(name))]).toEqual([
    path,
    "DENY",
    "no-store",
    null,
    null,
  ]);
  for (const form of text.split("<form").slice(1))
    if (/^[^>]*method="post"/.test(form))
      expect([path, form.split("</form>")[0]!.includes('name="csrf" value="')]).toEqual([
        path,
        true,
      ]);
}

/** Those that show something that no earlier one has shown. */
const telling = (seen: ReadonlyMap<string, Seen>): readonly string[] => {
  const known = new Set<string>();
  return [...seen].flatMap(([path, { text }]) => {
    const fresh = marks(text).filter((mark) => !known.has(mark));
    for (const mark of fresh) known.add(mark);
    return fresh.length > 0 ? [path] : [];
  });
};

async function runsNothing(
  who: { readonly email: string; readonly password: string },
  environment: string,
  paths: readonly string[],
): Promise<void> {
  if (browser === undefined) return expect(skip).toBeDefined();
  const context = await browser.newContext({ baseURL: base });
  await context.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => (window.broke = event.blockedURI || 'inline'))",
  );
  const page = await context.newPage();
  await page.goto("/console/sign-in");
  await page.fill("[name=email]", who.email);
  await page.fill("[name=password]", who.password);
  await page.click("button.main");
  await page.click(`.switch button[value=${environment}]`);
  for (const path of paths) {
    await page.goto(path, { waitUntil: "domcontentloaded" });
    const found = await page.evaluate("[window.ran, window.broke].join()");
    expect([path, found]).toEqual([path, ","]);
  }
  await context.close();
}

/** What nobody could have filled in is missing where a page stops showing a field: then this list changes. */
const shownTo = {
  agent:
    "agent attribute contact file hook id key label note profile ref said tag team template tenant text words",
  inLive: "provider reference subject",
  operator: "case company partner reason remark visitor volume",
  operatorInLive: "partner sender",
};

test("nothing is shown, and nothing asked, about what is nobody's", async () => {
  const cookie = await signedIn(keys.operator);
  const places = allPages
    .filter(({ method, path }) => method === "GET" && path.includes("/:id"))
    .map(({ path }) => path);
  expect(places.length).toBeGreaterThan(20);
  const answers: unknown[] = [];
  for (const path of places) {
    const place = `/console${path.replaceAll(/:\w+/g, "nothing_00000000000000000000000000")}`;
    const { status } = await fetchPage(place, { headers: { cookie } });
    if (status !== 404) answers.push([path, status]);
  }
  expect(answers).toEqual([]);
});

test(
  "what strangers fill in is text on every page, and nothing of it runs",
  { timeout: crawlDeadlineMs },
  async () => {
    const paths = await fill();
    const theirs = await fillForOperators();
    const refused = await providerSays();
    for (const [who, from, shown, world] of [
      [keys.agent, ["/console", ...paths], shownTo.agent, "sandbox"],
      [keys.agent, [refused, "/console/wallet"], shownTo.inLive, "live"],
      [keys.operator, ["/console", ...theirs], shownTo.operator, "sandbox"],
      [keys.operator, ["/console/partners", "/console/routing"], shownTo.operatorInLive, "live"],
    ] as const) {
      const cookie = await signedIn(who);
      await press(cookie, "/console", "/console/environment", { environment: world });
      const wanted = shown.split(" ").map((field) => `zebra-${field}`);
      const missing = (seen: ReadonlyMap<string, Seen>): readonly string[] => {
        const found = new Set([...seen.values()].flatMap(({ text }) => marks(text)));
        return wanted.filter((mark) => !found.has(mark));
      };
      let seen = await crawl(cookie, from);
      const done = await until(
        async () => {
          if (missing(seen).length === 0) return true;
          seen = await crawl(cookie, from);
          return missing(seen).length === 0;
        },
        { what: "the pages show it" },
      ).catch(() => false);
      expect([done, missing(seen)]).toEqual([true, []]);
      for (const [path, one] of seen) requireSound(path, one);
      await runsNothing(who, world, telling(seen));
    }
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
