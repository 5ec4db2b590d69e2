import { spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { defaultPriceList } from "@heliograph/domain";
import { freePort, until } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { changesOf } from "../src/changes.ts";
import { examplesOf } from "../src/examples.ts";
import { ownFiles } from "../src/files.ts";
import { jsonLd } from "../src/layout.ts";
import { readApi } from "../src/openapi.ts";
import { buildSite, type Changes } from "../src/site.ts";

const origins = { site: "https://www.heliograph.example", api: "https://api.heliograph.example" };
const folder = mkdtempSync(join(tmpdir(), "heliograph-site-"));
const files = join(folder, "site");
const main = join(import.meta.dirname, "../src/main.ts");
const closing: (() => void)[] = [];

beforeAll(() => {
  const env = {
    ...process.env,
    HELIOGRAPH_SITE_URL: origins.site,
    HELIOGRAPH_PUBLIC_URL: origins.api,
  };
  const { status, stdout } = spawnSync("node", [main, "export", files], { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`the export ended with ${status}: ${stdout}`);
});
afterAll(() => {
  for (const close of closing) close();
  rmSync(folder, { recursive: true });
});

type Answer = {
  readonly status: number;
  readonly location: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
};
const ask = (
  port: number,
  path: string,
  given: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const host = new URL(origins.site).host;
    const headers = { Host: host, "X-Forwarded-Proto": "https", ...given };
    request({ port, host: "127.0.0.1", path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => {
        const { statusCode: status = 0, headers: got } = response;
        resolve({ status, location: got.location, headers: got, text });
      });
    })
      .on("error", reject)
      .end();
  });

test("the files are what the server sends", () => {
  const site = buildSite(ownFiles, origins);
  const written = globSync("**/*", { cwd: files }).filter((file) => /\.\w+$/.test(file));
  expect(written.length).toBeGreaterThan(500);
  for (const entry of site.entries.values()) {
    const file = entry.path === "/" ? "index.html" : `${entry.path}.html`;
    const sent = site.page(entry, { prices: defaultPriceList });
    expect([entry.path, readFileSync(join(files, file), "utf8") === sent]).toEqual([
      entry.path,
      true,
    ]);
  }
  for (const [path, { body }] of site.assets)
    expect([path, readFileSync(join(files, path)).equals(Buffer.from(body()))]).toEqual([
      path,
      true,
    ]);
});

const httpd = (port: number): string => {
  const modules = ["mpm_event", "authz_core", "mime", "dir", "rewrite", "headers", "setenvif"];
  return `ServerRoot ${folder}
Listen 127.0.0.1:${port}
ServerName localhost
PidFile httpd.pid
ErrorLog error.log
User www-data
Group www-data
TypesConfig /etc/mime.types
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
DocumentRoot ${files}
<Directory />
AllowOverride None
Require all denied
</Directory>
<Directory ${files}>
AllowOverride All
Options FollowSymLinks
Require all granted
</Directory>
`;
};

test("an Apache that is given the files answers as the server does", async (context) => {
  const program = "/usr/sbin/apache2";
  if (!existsSync(program)) {
    process.stderr.write("no Apache: apt-get install apache2-bin brings one\n");
    return context.skip("no Apache here");
  }
  spawnSync("chmod", ["-R", "a+rX", folder]);
  const port = await freePort();
  writeFileSync(join(folder, "httpd.conf"), httpd(port));
  const apache = spawn(program, ["-f", join(folder, "httpd.conf"), "-DFOREGROUND"], {
    stdio: "inherit",
  });
  closing.push(() => apache.kill());
  await until(() =>
    ask(port, "/").then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  const site = buildSite(ownFiles, origins);
  for (const path of [
    "/",
    "/pricing",
    "/docs",
    "/docs/guides",
    "/docs/guides/batch",
    "/errors",
    "/errors/internal",
    "/events/message.sent",
    "/reference/messages",
  ]) {
    const { status, text, headers } = await ask(port, path);
    expect([path, status]).toEqual([path, 200]);
    expect(text === site.page(site.entries.get(path)!, { prices: defaultPriceList })).toBe(true);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
  }
  for (const [path, type] of [
    ["/docs/guides/batch.md", "text/markdown; charset=utf-8"],
    ["/sitemap.xml", "application/xml; charset=utf-8"],
    ["/.well-known/security.txt", "text/plain; charset=utf-8"],
    ["/favicon.svg", "image/svg+xml"],
    ["/card.png", "image/png"],
  ] as const)
    expect([path, (await ask(port, path)).headers["content-type"]]).toEqual([path, type]);

  const { site: right } = origins;
  const moves: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ["/pricing.html?a=b%20c", {}, "/pricing?a=b%20c"],
    ["/docs/", {}, "/docs"],
    ["/docs/guides/batch/", {}, "/docs/guides/batch"],
    ["/index.html", {}, "/"],
    ["/pricing", { Host: "heliograph.example" }, "/pricing"],
    ["/docs/guides/", { Host: "heliograph.example", "X-Forwarded-Proto": "http" }, "/docs/guides"],
    ["/pricing.html", { Host: "127.0.0.1", "X-Forwarded-Proto": "http" }, "/pricing"],
    ["/pricing", { "X-Forwarded-Proto": "http" }, "/pricing"],
    ["/", { "X-Forwarded-Proto": "http" }, "/"],
  ];
  for (const [path, headers, to] of moves) {
    const { status, location } = await ask(port, path, headers);
    // One step from any wrong address to the right one.
    expect([path, status, location]).toEqual([path, 308, `${right}${to}`]);
  }
  for (const path of ["/nothing", "/docs/nothing", "/.htaccess", "/schemas"]) {
    const { status, headers } = await ask(port, path);
    expect([path, status >= 403 && status < 500]).toEqual([path, true]);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
  }
  expect((await ask(port, "/nothing")).text).toBe(site.page(site.notFound, {}));
  const evil = await ask(port, "//evil.example/");
  expect(evil.location ?? right).toMatch(/^https:\/\/www\.heliograph\.example/);
});

test("a title cannot end the data that describes it", () => {
  const value = { headline: "</script><!--<script>" };
  const markup = String(jsonLd(value));
  expect(markup.match(/<\/?script|<!--/g)).toEqual(["<script", "</script"]);
  expect(JSON.parse(/>([\s\S]*)<\/script>$/.exec(markup)![1]!)).toEqual(value);
});

test("a page keeps its day until what it is made of changes", () => {
  const before = JSON.parse(changesOf(ownFiles, {}, "2026-01-02")) as Changes;
  expect(changesOf(ownFiles, before, "2026-03-04")).toBe(changesOf(ownFiles, {}, "2026-01-02"));
  const edited = "docs/guides/batch.md";
  const after = JSON.parse(
    changesOf(
      { ...ownFiles, read: (file) => ownFiles.read(file) + (file === edited ? "\nMore.\n" : "") },
      before,
      "2026-03-04",
    ),
  ) as Changes;
  const changed = Object.keys(after).filter((path) => after[path] !== before[path]);
  expect(changed).toEqual(["/docs/guides/batch"]);
  expect(after["/docs/guides/batch"]).toMatch(/^2026-03-04 /);
});

test("every example of the reference is a program", () => {
  const all = readApi(ownFiles).calls.flatMap((call) => examplesOf(call, origins.api));
  expect(all.length).toBeGreaterThan(500);
  const of = (language: string): readonly string[] =>
    all.flatMap((example) => (example.language === language ? example.code : []));
  for (const code of of("Node"))
    expect(() => new Script(`(async () => {${code}\n})`)).not.toThrow();
  const checks = [
    ["curl", "bash", ["-n"], of("curl").join("\n")],
    [
      "Python",
      "python3",
      ["-c", "import sys,json\nfor code in json.load(sys.stdin): compile(code, 'example', 'exec')"],
      JSON.stringify(of("Python")),
    ],
    [
      "PHP",
      "php",
      ["-l"],
      `<?php ${of("PHP")
        .map((code) => code.slice(5))
        .join("\n")}`,
    ],
  ] as const;
  for (const [language, program, args, input] of checks) {
    const { status, stderr, error } = spawnSync(program, args, { input, encoding: "utf8" });
    if (error !== undefined)
      process.stderr.write(`no ${program} here: examples in ${language} are not checked\n`);
    else expect([language, status, stderr]).toEqual([language, 0, ""]);
  }
});
