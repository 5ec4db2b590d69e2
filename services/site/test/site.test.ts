import { request } from "node:http";
import { join } from "node:path";
import { openapiDocument, services } from "@heliograph/ingress";
import { errorCatalogue } from "@heliograph/contracts";
import { lifecycleTypes } from "@heliograph/domain";
import { spawnService, until } from "@heliograph/testkit";
import { htmlFindings, testBrowser } from "@heliograph/testkit/browser";
import { openLook } from "@heliograph/testkit/look";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ranExamples, refusedExamples } from "./examples.ts";
import { askInBrowser } from "./ask-in-browser.ts";

/** Not in the repository; a run leaves its pictures here. */
const pictures = join(import.meta.dirname, "../../../.cache/screenshots/site");
const site = "https://www.heliograph.example";
const limitBytes = 40_000;

let world: World;
let pages: ReadonlyMap<string, Answer>;
/** Of one rendering, old enough in the end of this file. */
let token: string;
beforeAll(async () => {
  world = await openWorld({
    services,
    consumers: "run",
    // The second one's for what the examples of the reference do.
    partners: [{}, {}],
    env: { HELIOGRAPH_SITE_URL: site },
  });
  token = tokenIn((await get("/evaluation")).text);
  pages = await everyPage();
}, 60_000);
afterAll(() => world.close());

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
};
type Asking = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** As a browser or a robot asks: redirects are not followed, and `Host` is what the test says. */
const get = (path: string, { method = "GET", headers = {}, body }: Asking = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const given = { Host: new URL(site).host, ...headers };
    const sent = request(
      { port: world.port, host: "127.0.0.1", path, method, headers: given },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers as Answer["headers"],
            text,
          }),
        );
      },
    );
    sent.on("error", reject).end(body);
  });

const tokenIn = (text: string): string => /name="token" value="([^"]+)"/.exec(text)![1]!;
const matches = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, found]) => found!);
const unescape = (text: string): string =>
  text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

/** Those of the sitemap, by their paths. */
async function everyPage(): Promise<ReadonlyMap<string, Answer>> {
  const { text } = await get("/sitemap.xml");
  const found = new Map<string, Answer>();
  for (const address of matches(text, /<loc>([^<]+)<\/loc>/g)) {
    expect(address.startsWith(`${site}/`)).toBe(true);
    const path = address.slice(site.length);
    found.set(path, await get(path));
  }
  return found;
}

test("every page of the sitemap is there, found by its one address, and has what a page needs", async () => {
  expect(pages.size).toBeGreaterThan(250);
  const [style] = matches(pages.get("/")!.text, /rel="stylesheet" href="([^"]+)"/g);
  const styleBytes = Buffer.byteLength((await get(style!)).text);
  for (const [path, { status, headers, text }] of pages) {
    const seen = {
      path,
      status,
      robots: headers["x-robots-tag"],
      canonical: matches(text, /<link rel="canonical" href="([^"]+)"/g),
      openGraph: matches(text, /<meta property="og:url" content="([^"]+)"/g),
      styles: matches(text, /rel="stylesheet" href="([^"]+)"/g),
      lang: /<html lang="en">/.test(text),
      headings: matches(text, /(<h1[ >])/g).length,
      mains: matches(text, /(<main[ >])/g).length,
      isTitled: matches(text, /<title>([^<]{5,})<\/title>/g).length,
      isDescribed: matches(text, /<meta name="description" content="([^"]{20,})"/g).length,
      hasScript: /<script(?! type="application\/ld\+json">)|style="|\son\w+="/.test(text),
      bytesOverLimit: Math.max(0, Buffer.byteLength(text) + styleBytes - limitBytes),
    };
    const address = `${site}${path}`;
    expect(seen).toEqual({
      path,
      status: 200,
      robots: undefined,
      canonical: [address],
      openGraph: [address],
      styles: [style],
      lang: true,
      headings: 1,
      mains: 1,
      isTitled: 1,
      isDescribed: 1,
      hasScript: false,
      bytesOverLimit: 0,
    });
    const [data] = matches(text, /<script type="application\/ld\+json">([\s\S]*?)<\/script>/g);
    expect(JSON.parse(data!)["@graph"][0].url).toBe(address);
  }
});

test("what networks show of a link is a picture of the size that they are told", async () => {
  const { text } = await get("/pricing");
  const [address] = matches(text, /<meta property="og:image" content="([^"]+)"/g);
  expect(address).toBe(`${site}/card.png`);
  const answer = await fetch(`http://127.0.0.1:${world.port}/card.png`);
  expect(answer.headers.get("content-type")).toBe("image/png");
  const picture = Buffer.from(await answer.arrayBuffer());
  expect(picture.length).toBeLessThan(100_000);
  // IHDR of PNG: width and height.
  expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([1_200, 630]);
});

test("every link and every anchor leads somewhere", async () => {
  const known = new Map<string, Answer>(pages);
  const open = async (path: string): Promise<Answer> => {
    const found = known.get(path) ?? (await get(path));
    known.set(path, found);
    return found;
  };
  const broken = new Set<string>();
  for (const [path, { text }] of pages)
    for (const href of new Set(matches(text, / href="([^"]*)"/g).map(unescape))) {
      if (/^https?:/.test(href) && !href.startsWith(site)) continue;
      const [to = "", anchor] = href.replace(site, "").split("#");
      const target = to === "" ? pages.get(path)! : await open(to);
      if (target.status >= 400) broken.add(`${path}: ${href} answers ${target.status}`);
      else if (anchor !== undefined && !target.text.includes(` id="${anchor}"`))
        broken.add(`${path}: ${href} has no such anchor`);
    }
  expect([...broken]).toEqual([]);
});

test("every error that is answered and every event has its page", async () => {
  for (const code of Object.keys(errorCatalogue)) expect(pages.has(`/errors/${code}`)).toBe(true);
  for (const type of Object.keys(lifecycleTypes)) expect(pages.has(`/events/${type}`)).toBe(true);
  const refused = await world.call("GET", "/api/v1/balance");
  const { doc_url: address } = refused.body as { doc_url: string };
  expect(new URL(address).pathname).toBe("/errors/authentication_required");
  const page = await get(new URL(address).pathname);
  expect(page.text).toContain("Authorization: Bearer");
  for (const path of ["/errors/nothing", "/errors/__proto__", "/errors/%3Cscript%3E"])
    expect((await get(path)).status).toBe(404);
});

/** One of each kind: what is made by one function for each of many is made alike. */
const kinds = [
  "/",
  "/channels",
  "/pricing",
  "/how-it-works",
  "/status",
  "/evaluation",
  "/docs",
  "/docs/guides",
  "/docs/reference/retries",
  "/reference",
  "/reference/messages",
  "/reference/messages/post-messages",
  "/errors",
  "/errors/rate_limited",
  "/events/message.sent",
  "/nothing",
];

/** What one function makes alike for many pages is read once. */
const repeated = /<(header|footer|tr|pre)\b[^>]*>[\s\S]*?<\/\1>|<nav class="side"[\s\S]*?<\/nav>/g;

test("no page has a fault of HTML", async () => {
  const faults: string[] = [];
  const known = new Set<string>();
  for (const path of [...pages.keys(), "/evaluation/requested", "/nothing"]) {
    const { text } = pages.get(path) ?? (await get(path));
    const own = text.replaceAll(repeated, (part) => {
      if (known.has(part)) return "";
      known.add(part);
      return part;
    });
    faults.push(...(await htmlFindings(own)).map((fault) => `${path}: ${fault.slice(0, 200)}`));
  }
  expect(faults).toEqual([]);
}, 120_000);

test("whoever asks by another name is not found by it, and no link repeats the name", async () => {
  const own = await get("/pricing");
  for (const headers of [
    { Host: "evil.example" },
    { Host: "sandbox.heliograph.example", "X-Forwarded-Host": "evil.example" },
  ]) {
    const other = await get("/pricing?utm_source=x", { headers });
    expect(other.text).toBe(own.text);
    expect(other.headers["x-robots-tag"]).toBe("noindex");
    // A page that may not be fetched does not tell that it is not to be found.
    expect((await get("/robots.txt", { headers })).text).toBe((await get("/robots.txt")).text);
  }
  expect(own.headers["x-robots-tag"]).toBeUndefined();
});

test("an address has no slash at its end, and what does not exist is a page that says so", async () => {
  const moved = async (path: string) => {
    const { status, headers } = await get(path);
    return [status, headers["location"]];
  };
  expect(await moved("/pricing/")).toEqual([308, "/pricing"]);
  expect(await moved("/docs/guides/batch/?a=b%20c")).toEqual([308, "/docs/guides/batch?a=b%20c"]);
  expect(await moved("//pricing")).toEqual([308, "/pricing"]);
  for (const path of ["/nothing", "//evil.example/", "/docs/../../etc/passwd", "/%00", "/a/"]) {
    const { status, headers, text } = await get(path);
    expect([status, headers["location"]]).toEqual([404, undefined]);
    expect(text).toContain("There is nothing at this address");
  }
  // Below the API it is the API that answers.
  const api = await get("/api/v1/nothing");
  expect(api.headers["content-type"]).toContain("application/problem+json");
});

test("what others answer at the same origin stays theirs", async () => {
  const { paths } = openapiDocument() as { readonly paths: Readonly<Record<string, object>> };
  const atRoot = Object.keys(paths).filter((path) => !path.startsWith("/api/"));
  expect(atRoot).toContain("/healthz");
  for (const path of [...atRoot, "/console", "/console/messages", "/callbacks/gtw_1/token"]) {
    const { text } = await get(path.replaceAll(/\{\w+\}/g, "x"));
    expect([path, text.includes("/how-it-works")]).toEqual([path, false]);
  }
});

test("answers forbid everything that a page does not need, and are not sent again to who has them", async () => {
  const { headers, text } = await get("/docs/guides/batch");
  expect(headers).toMatchObject({
    "content-security-policy":
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000",
    "content-length": String(Buffer.byteLength(text)),
  });
  const again = await get("/docs/guides/batch", {
    headers: { "If-None-Match": `W/${headers["etag"]}` },
  });
  expect([again.status, again.text]).toEqual([304, ""]);
  const head = await get("/docs/guides/batch", { method: "HEAD" });
  expect([head.status, head.text, head.headers["etag"]]).toEqual([200, "", headers["etag"]]);
  const post = await get("/pricing", { method: "POST" });
  expect([post.status, post.headers["allow"]]).toEqual([405, "GET, HEAD"]);
});

test("robots are told by name what is open, and who writes to us about security where", async () => {
  const { text } = await get("/robots.txt");
  const groups = text.split("\n\n").filter((group) => group.startsWith("User-agent"));
  for (const name of [
    "GPTBot",
    "OAI-SearchBot",
    "ChatGPT-User",
    "Google-Extended",
    "ClaudeBot",
    "Claude-User",
    "PerplexityBot",
  ]) {
    const own = groups.find((group) => group.startsWith(`User-agent: ${name}\n`));
    expect(own).toContain("Disallow: /api/\nDisallow: /console\n");
    expect(own).toContain("Allow: /");
  }
  expect(text).toContain(`Sitemap: ${site}/sitemap.xml`);
  const security = (await get("/.well-known/security.txt")).text;
  expect(security).toMatch(/^Contact: mailto:security@heliograph\.example$/m);
  const [ends] = matches(security, /^Expires: (.+)$/gm);
  const days = (Date.parse(ends!) - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(270);
  expect(days).toBeLessThan(366);
});

test("llms.txt and the twins of the pages lead to Markdown, and nowhere else", async () => {
  const list = (await get("/llms.txt")).text;
  const twins = matches(list, /\]\(([^)]+)\.md\)/g);
  const withTwin = [...pages].filter(([, { text }]) => text.includes('type="text/markdown"'));
  expect(twins.map((address) => address.slice(site.length)).toSorted()).toEqual(
    withTwin.map(([path]) => path).toSorted(),
  );
  expect(twins.length).toBeGreaterThan(60);
  const links = new Set<string>();
  for (const address of twins) {
    const { status, headers, text } = await get(`${address.slice(site.length)}.md`);
    expect([address, status, headers["content-type"]]).toEqual([
      address,
      200,
      "text/markdown; charset=utf-8",
    ]);
    const prose = text.replaceAll(/^```[\s\S]*?^```|`[^`\n]*`/gm, "");
    for (const link of matches(prose, /\]\(([^)\s]+)\)/g)) links.add(link);
  }
  for (const link of links) {
    expect(link).toMatch(/^https?:\/\//);
    if (link.startsWith(site))
      expect([link, (await get(link.slice(site.length))).status]).toEqual([link, 200]);
  }
});

test("prices and the state are those of the platform", async () => {
  const priced = (await get("/pricing")).text;
  const { body } = await world.call("GET", "/api/v1/prices/standard");
  for (const { per_segment } of (body as { entries: { per_segment: string }[] }).entries)
    expect(priced).toContain(`${per_segment} USD`);
  await until(async () => (await get("/status")).text.includes("All of it works"));
  expect((await get("/status")).headers["cache-control"]).toBe("no-store");
});

const form = {
  company: "Beacon Works",
  name: "Ada <script>",
  email: "ada@acme.example",
  use_case: "Order updates",
};
const post = (
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
) =>
  get("/evaluation", {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams(fields).toString(),
  });

test("a form that is wrong comes back as it was typed and says what to do", async () => {
  const early = await post({ ...form, token: tokenIn((await get("/evaluation")).text) });
  expect(early.status).toBe(422);
  expect(early.text).toContain("Please press the button again");
  expect(early.text).toContain('value="Ada &lt;script&gt;"');
  const unsaid = await post({ token, name: "Ada", email: "nobody" });
  expect(unsaid.status).toBe(422);
  expect(unsaid.text).toMatch(/id="company"[^>]*aria-invalid="true"/);
  expect(unsaid.text).toMatch(/id="email"[^>]*aria-invalid="true"/);
  expect(await htmlFindings(unsaid.text)).toEqual([]);
  const old = await post({ ...form, token: "mb3k2x1a.AAAAAAAAAAAAAAAA.k3v9" });
  expect(tokenIn(old.text)).not.toContain("k3v9");
});

test("only a page of ours may send the form", async () => {
  for (const headers of [
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { Origin: "https://evil.example" },
    { Origin: "null" },
  ])
    expect((await post({ ...form, token }, headers)).status).toBe(403);
  const headers = { "Content-Type": "text/plain" };
  expect((await get("/evaluation", { method: "POST", headers })).status).toBe(403);
  const large = await post({ ...form, token, use_case: "x".repeat(40_000) });
  expect(large.status).toBe(413);
});

test("a form asks for an evaluation once, and what only programs fill in is shown to people", async () => {
  const filled = await until(async () => {
    const answer = await post({ ...form, token, hg_remainder: "x" });
    return answer.text.includes("Please clear this field") && answer;
  });
  expect(filled.status).toBe(422);
  const own = { "Sec-Fetch-Site": "same-origin", Origin: "null" };
  for (const time of ["first", "by a double click"]) {
    const { status, headers } = await post({ ...form, token }, own);
    expect([time, status, headers["location"]]).toEqual([time, 303, "/evaluation/requested"]);
  }
  const key = await world.addKey(world.partners[0]!.id, { admin: true });
  const listed = () => world.call("GET", "/api/v1/admin/evaluations", { key });
  await until(async () => (await listed()).body.data.length > 0);
  const { data } = (await listed()).body as { data: readonly { company: string }[] };
  expect(data.filter(({ company }) => company === form.company)).toHaveLength(1);
  expect((await get("/evaluation/requested")).text).toContain("Look into your mail");
});

test("nobody is kept out, on a phone, on a wall, on paper or in forced colours, and the form leads to its answer", async (context) => {
  const { browser, skip } = await testBrowser();
  if (browser === undefined) return context.skip(skip);
  const origin = `http://127.0.0.1:${world.port}`;
  try {
    const look = await openLook(browser, { address: origin, pictures });
    const faults: string[] = [];
    for (const path of kinds) {
      const { text } = pages.get(path) ?? (await get(path));
      faults.push(...(await look.at(path.slice(1).replaceAll("/", "-") || "home", text)));
    }
    expect(faults).toEqual([]);
    const asked = {
      refused: expect.stringContaining("address"),
      led: "/evaluation/requested",
      heading: "Look into your mail",
    };
    for (const scripts of [false, true])
      expect([scripts, await askInBrowser(browser, origin, scripts)]).toEqual([scripts, asked]);
  } finally {
    await browser.close();
  }
}, 120_000);

test("the site in a process of its own shows what the platform says, and ends when it is told", async () => {
  const main = join(import.meta.dirname, "../src/main.ts");
  const process = spawnService(main, {
    HELIOGRAPH_API_URL: `http://127.0.0.1:${world.port}`,
    HELIOGRAPH_SITE_URL: site,
    HELIOGRAPH_PORT: "0",
  });
  const [, port] = await process.outputMatching(/"port":(\d+)/);
  const read = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  expect(await read("/healthz")).toBe('{"status":"ok"}');
  expect(await read("/pricing")).toBe((await get("/pricing")).text);
  expect(tokenIn(await read("/evaluation"))).not.toBe("");
  expect(await process.stop()).toEqual({ code: 0, signal: null });
});

test("every example is a request that the platform takes, and runs as it stands", async () => {
  const { id, key } = world.partners[1]!;
  const admin = await world.addKey(id, { admin: true });
  const target = {
    api: `http://127.0.0.1:${world.port}`,
    keyFor: (path: string) => (path.startsWith("/api/v1/admin/") ? admin : key),
  };
  expect(await refusedExamples(target)).toEqual([]);
  for (const [language, printed] of await ranExamples(target))
    expect([language, printed]).toEqual([language, expect.stringContaining('"cnt_')]);
}, 60_000);
