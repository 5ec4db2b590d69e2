import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const own = new URL("..", import.meta.url).pathname;
const root = new URL("../../..", import.meta.url).pathname;
const bin = join(root, "node_modules/.bin");
const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  packageManager: string;
};
const run = promisify(execFile);

/** Node 20 or later that is not the repository's, from the search path of the machine. */
const otherNodes = (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => {
  if (folder.includes("node_modules")) return [];
  try {
    const version = execFileSync(join(folder, "node"), ["-p", "process.version"]).toString().trim();
    const isOther = version !== process.version && Number(version.slice(1).split(".")[0]) >= 20;
    return isOther ? [join(folder, "node")] : [];
  } catch {
    return [];
  }
});
if (otherNodes.length === 0)
  process.stdout.write("skipped: the client on an older Node, for want of one on this machine\n");

const program = `
import { heliograph, isEvent, ProblemError, verifyWebhook, type Message } from "@heliograph/client";

const client = heliograph({ key: "ak_test_x", baseUrl: process.argv[2]! });
const { data } = await client.messages.list({ status: ["sent"], limit: 1 }).page();
const first: string | undefined = data[0]?.status;
const stays: Message["status"] = "a status of next year";
const refused: unknown = await client.messages.get("msg_1").catch((error: unknown) => error);
if (!(refused instanceof ProblemError)) throw refused;
for await (const event of client.events.follow())
  if (isEvent(event, "message.sent")) {
    const to: string = event.data.to;
    console.log([first, stays, refused.code, to, typeof verifyWebhook].join());
    break;
  }
// @ts-expect-error -- a channel that is none
if (process.argv[3]) await client.messages.send({ channel: "pigeon", to: "x" });
// @ts-expect-error -- an option that the operation does not have
if (process.argv[3]) await client.messages.get("msg_1", {}, { idempotencyKey: "x" });
`;

/** Whoever requires it where others import it has the same classes. Node before 20.19 has no `require` of modules. */
const requiredAndImported = `
if (!process.features.require_module) console.log("needs import");
else import("@heliograph/client").then((there) =>
  console.log(require("@heliograph/client").ProblemError === there.ProblemError));
`;

let project: string;
beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "heliograph-client-"));
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"]}` };
  const pack = ["--yes", packageManager, "pack", "--pack-destination", project];
  for (const folder of [own, join(own, "../cli")]) await run("npx", pack, { cwd: folder, env });
  const tarballs = readdirSync(project).map((name) => `./${name}`);
  writeFileSync(join(project, "package.json"), '{ "type": "module", "private": true }');
  const install = ["install", "--offline", "--no-audit", "--no-fund", ...tarballs];
  await run("npm", install, { cwd: project });
  writeFileSync(join(project, "main.ts"), program);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

test("what is packed has no dependency, compiles strictly without the types of Node, and runs on every Node there is", async () => {
  const installed = readdirSync(join(project, "node_modules"), { encoding: "utf8" });
  expect(installed.filter((name) => !name.startsWith("."))).toEqual(["@heliograph", "heliograph"]);
  writeFileSync(join(project, "globals.d.ts"), "declare const process: { argv: string[] };\n");
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
  const modules = ["--module", "nodenext", "--target", "es2022", "--lib", "es2023,dom"];
  const files = ["main.ts", "globals.d.ts"];
  await run(join(bin, "tsc"), [...strict, ...modules, ...files], { cwd: project });

  const server = createServer((request, response) => {
    const path = request.url!.split("?")[0]!.split("/").at(-1);
    const event = { id: "evt_1", type: "message.sent", sequence: 1, data: { to: "+1" } };
    if (path === "stream") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`id: 1\ndata: ${JSON.stringify(event)}\n\n`);
    } else if (path === "messages") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ data: [{ status: "sent" }], next_cursor: null }));
    } else {
      response.writeHead(404, { "content-type": "application/problem+json" });
      response.end(JSON.stringify({ code: "not_found" }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    for (const node of [process.execPath, ...otherNodes]) {
      // It ends by itself, with a connection of the feed behind it: nothing that it left keeps it alive.
      const ended = await run(node, ["main.js", url], { cwd: project, timeout: 15_000 });
      const program = join(project, "node_modules/.bin/heliograph");
      expect((await run(node, [program, "--help"])).stdout, node).toContain("listen");
      expect(ended.stdout.trim(), node).toBe("sent,a status of next year,not_found,+1,function");
      const both = await run(node, ["-e", requiredAndImported], { cwd: project });
      expect(both.stdout, node).toMatch(/^(true|needs import)$/m);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
