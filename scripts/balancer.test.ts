import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, spawnProgram, until } from "@heliograph/testkit";
import { expect, onTestFinished, test, type TestContext } from "vitest";

const folder = new URL("../infra/balancer/", import.meta.url).pathname;

/** The program; where it is not there that is printed, and the test is skipped. */
function needs({ skip }: TestContext, program: string): string {
  const isMissing = spawnSync(program, ["-v"]).error !== undefined;
  if (isMissing) process.stderr.write(`${program} is not there: its configuration is not tried\n`);
  skip(isMissing, `${program} is not there`);
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
  const ask = async (path = "/api/v1/messages") => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    await answer.arrayBuffer();
    return answer.headers.get("x-copy") ?? answer.status;
  };
  const asked = async () =>
    [await ask(), await ask(), await ask(), await ask()].map(String).toSorted();
  await until(async () => (await ask()) === "one", { what: "haproxy serves" });
  expect(await asked()).toEqual(["one", "one", "two", "two"]);
  for (const path of ["/metrics", "/api/v1/readyz", "/api/v1/%61dmin/partners"])
    expect(await ask(path), path).toBe(404);
  one.state.ready = false;
  await until(async () => (await asked()).every((name) => name === "two"), { what: "one is out" });
  one.state.ready = true;
  await until(async () => (await asked()).includes("one"), { what: "one is back" });
  // It has not been looked at since, and no caller notices.
  two.close();
  expect(await asked()).toEqual(["one", "one", "one", "one"]);
}, 30_000);

test("nginx takes its configuration", (context) => {
  const nginx = needs(context, "nginx");
  const place = mkdtempSync(join(tmpdir(), "heliograph-nginx-"));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const main = `pid ${place}/pid; error_log stderr; events {} http { access_log off; include ${folder}nginx.conf; }`;
  writeFileSync(join(place, "nginx.conf"), main);
  const { status, stderr } = spawnSync(nginx, ["-t", "-c", join(place, "nginx.conf")], {
    encoding: "utf8",
  });
  expect(stderr).not.toContain("[warn]");
  expect({ status, stderr }).toMatchObject({ status: 0 });
});
