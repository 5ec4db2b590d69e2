import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkAdvisories, installed } from "./advisories.ts";

const lockfile =
  "lockfileVersion: '9.0'\npackages:\n\n  '@a/b@1.2.3':\n    resolution: {}\n\n  left-pad@1.0.0:\n    resolution: {}\n\n  left-pad@2.0.0:\n    resolution: {}\n";
const advisory = (id: string, severity: string) => ({
  url: `https://github.com/advisories/${id}`,
  title: "Pads too far",
  severity,
  vulnerable_versions: "<2",
});

let registry: Server;
let answer: { status: number; body: object };
let asked: unknown;
beforeAll(async () => {
  registry = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      asked = [request.url, JSON.parse(body)];
      response.writeHead(answer.status).end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
});
afterAll(() => new Promise((resolve) => registry.close(resolve)));
const check = (list = "[]") =>
  checkAdvisories({
    registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/npm`,
    lockfile,
    list,
  });

test("what is installed is asked for, and a grave advisory fails unless it is listed with a reason", async () => {
  expect(installed(lockfile)).toEqual({ "@a/b": ["1.2.3"], "left-pad": ["1.0.0", "2.0.0"] });
  answer = {
    status: 200,
    body: { "left-pad": [advisory("GHSA-1", "high"), advisory("GHSA-2", "moderate")] },
  };
  const found = await check();
  expect(asked).toEqual(["/npm/-/npm/v1/security/advisories/bulk", installed(lockfile)]);
  expect(found).toMatchObject({
    code: 1,
    output: expect.stringMatching(/^left-pad <2: high: Pads too far .*GHSA-1\)\n$/),
  });
  const listed = (reason: string): string => JSON.stringify([{ id: "GHSA-1", reason }]);
  expect(await check(listed("only in tests"))).toEqual({ code: 0, output: "" });
  expect((await check(listed(" "))).code).toBe(1);
});

test("without a registry that answers it is skipped, and says why", async () => {
  answer = { status: 405, body: {} };
  expect(await check()).toMatchObject({
    code: 0,
    skipped: expect.stringContaining("answered 405"),
  });
  const away = { registry: "http://127.0.0.1:1", lockfile, list: "[]" };
  expect(await checkAdvisories(away)).toMatchObject({
    code: 0,
    skipped: expect.stringContaining("advisories: "),
  });
});
