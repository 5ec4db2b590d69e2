import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSettings } from "@heliograph/runtime";
import { freePort, programMissing, spawnProgram, until } from "@heliograph/testkit";
import { expect, onTestFinished, test, type TestContext } from "vitest";

const root = new URL("..", import.meta.url).pathname;
const folder = join(root, "infra/balancer");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** What the table of docs/operating/deploying.md keeps inside, and ways to write it otherwise. */
const inside = [
  ...[...read("docs/operating/deploying.md").matchAll(/^\| (`\/.*?) \|/gm)].flatMap(([, cell]) => {
    const isUnderBoth = cell!.includes("also under `/api/v1`");
    return [...cell!.replace(/, also under.*/, "").matchAll(/`(.+?)`/g)].flatMap(([, path]) => {
      const written = path!.replace("*", "partners");
      return isUnderBoth ? [written, `/api/v1${written}`] : [written];
    });
  }),
  "/api/v1/%61dmin/partners",
  "/console/sign-in",
  "/c%6fnsole/",
];
const outside = ["/api/v1/messages", "/api/v1/unsubscribe/token", "/errors/invalid_request", "/"];

/** Asks the address, and tells which copy answered, or with what it was refused. */
const askerOf = (port: number) => async (path: string) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  await answer.arrayBuffer();
  return answer.headers.get("x-copy") ?? answer.status;
};

async function keepsInside(ask: (path: string) => Promise<string | number>): Promise<void> {
  expect(inside.length).toBeGreaterThan(9);
  for (const path of inside) expect(await ask(path), path).toBe(404);
  for (const path of outside) expect(["one", "two"], path).toContain(await ask(path));
}

/** The program; where it is not there the test is skipped. */
function needs({ skip }: TestContext, program: "haproxy" | "nginx"): string {
  const missing = programMissing(program);
  skip(missing !== undefined, missing);
  return program;
}

/** A copy of which only the answers matter: who gave them, and whether it is ready. */
async function copy(name: string) {
  const state = { ready: true };
  const server = createServer((request, response) => {
    const isLook = request.url === "/readyz";
    response.writeHead(isLook && !state.ready ? 503 : 200, { "x-copy": name }).end();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(close);
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { at, state, close };
}

test("haproxy gives each request to the next copy that is ready, asks another one where a connection is refused, and keeps inside what is for us", async (context) => {
  const haproxy = needs(context, "haproxy");
  const [one, two] = [await copy("one"), await copy("two")];
  const port = await freePort();
  const balancer = spawnProgram(haproxy, ["-db", "-f", join(folder, "haproxy.cfg")], {
    BALANCER_BIND: `127.0.0.1:${port}`,
    COPY_ONE: one.at,
    COPY_TWO: two.at,
  });
  onTestFinished(async () => void (await balancer.stop()));
  const ask = askerOf(port);
  const asked = async () => {
    const names: string[] = [];
    while (names.length < 4) names.push(String(await ask("/api/v1/messages")));
    return names.toSorted();
  };
  await until(async () => (await ask("/")) === "one", { what: "haproxy serves" });
  expect(await asked()).toEqual(["one", "one", "two", "two"]);
  await keepsInside(ask);
  one.state.ready = false;
  await until(async () => (await asked()).every((name) => name === "two"), { what: "one is out" });
  one.state.ready = true;
  await until(async () => (await asked()).includes("one"), { what: "one is back" });
  // It has not been looked at since, and no caller notices.
  two.close();
  expect(await asked()).toEqual(["one", "one", "one", "one"]);
}, 30_000);

test("nginx takes its configuration, asks another copy where a connection is refused, and keeps inside what is for us", async (context) => {
  const nginx = needs(context, "nginx");
  const place = mkdtempSync(join(tmpdir(), "heliograph-nginx-"));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const [one, two] = [await copy("one"), await copy("two")];
  const port = await freePort();
  const site = read("infra/balancer/nginx.conf")
    .replace("10.0.0.11:8080", one.at)
    .replace("10.0.0.12:8080", two.at)
    .replace("listen 80;", `listen 127.0.0.1:${port};`);
  writeFileSync(join(place, "site.conf"), site);
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${place}/${name};`)
    .join(" ");
  const main = `pid ${place}/pid; error_log stderr; events {} http { access_log off; ${folders} include ${place}/site.conf; }`;
  writeFileSync(join(place, "nginx.conf"), main);
  const args = ["-c", join(place, "nginx.conf"), "-g", "daemon off; master_process off;"];
  const { status, stderr } = spawnSync(nginx, ["-t", ...args], { encoding: "utf8" });
  expect(stderr).not.toContain("[warn]");
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const balancer = spawnProgram(nginx, args, {});
  onTestFinished(async () => void (await balancer.stop()));
  const ask = askerOf(port);
  await until(async () => (await ask("/")) === "one", { what: "nginx serves" });
  await keepsInside(ask);
  two.close();
  expect([await ask("/"), await ask("/"), await ask("/")]).toEqual(["one", "one", "one"]);
}, 30_000);

test("the command of the page lets the balancer reach the copies, and links lead to the balancer", () => {
  const [command] = /^HELIOGRAPH_.*npm start$/m.exec(read("docs/operating/load-balancer.md"))!;
  const given = [...command.matchAll(/(HELIOGRAPH_\w+)=(\S+)/g)].map(([, name, value]) => [
    name!,
    value === "…" ? undefined : value,
  ]);
  const { host, publicUrl, trustProxy } = readSettings(Object.fromEntries(given));
  expect({ host, publicUrl, trustProxy }).toEqual({
    host: "0.0.0.0",
    publicUrl: "https://api.example.com",
    trustProxy: "1",
  });
});
