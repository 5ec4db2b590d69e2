import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAddressGuard, createDial } from "@heliograph/api";
import type { Verdict } from "@heliograph/gateways";
import { selfSignedCertificate } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { createAsk } from "../src/asked/ask.ts";
import { createGet } from "../src/asked/get.ts";

const question = (
  url: string,
  keep = true,
  decide = (): Verdict => ({ kind: "genuine" }),
): Verdict => {
  return { kind: "asks", url, keep, decide };
};

test("what stays the same is asked for once, and what cannot be had leaves it open", async () => {
  const asked: string[] = [];
  const ask = createAsk(async (url) => {
    asked.push(url);
    if (url === "away") throw new Error("it is away");
    return "text";
  });
  expect(await ask({ kind: "forged" })).toEqual({ kind: "forged" });
  for (let times = 0; times < 2; times++) {
    expect(await ask(question("one"))).toEqual({ kind: "genuine" });
    expect(await ask(question("two", false))).toEqual({ kind: "genuine" });
    expect(await ask(question("away"))).toEqual({ kind: "unsure", why: "it is away" });
  }
  expect(asked).toEqual(["one", "two", "away", "two"]);
  const useless = question("one", true, () => {
    throw new Error("no certificate");
  });
  expect(await ask(useless)).toEqual({ kind: "unsure", why: "no certificate" });
  const endless = (): Verdict => question("one", true, endless);
  expect(await ask(endless())).toMatchObject({ kind: "unsure" });
});

test("so many are asked at once, and no more", async () => {
  let asked = 0;
  let answer = (): void => undefined;
  const waits = new Promise<void>((resolve) => (answer = resolve));
  const ask = createAsk(async () => {
    asked++;
    await waits;
    return "";
  });
  const all = Array.from({ length: 20 }, (_, index) => ask(question(`at-${index}`)));
  answer();
  const kinds = (await Promise.all(all)).map(({ kind }) => kind);
  expect([asked, kinds.filter((kind) => kind === "genuine").length]).toEqual([8, 8]);
});

test("is fetched over TLS from public addresses, without a redirect and within a size", async () => {
  const { key, certificate, remove } = await selfSignedCertificate();
  const server = createServer({ key, cert: certificate }, ({ url }, response) => {
    if (url === "/moved?x=1") response.writeHead(302, { location: "/text" }).end();
    else response.end(url === "/long" ? "x".repeat(100_000) : `at ${url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = `https://localhost:${(server.address() as AddressInfo).port}`;
  const getting = (allowed: readonly string[]) =>
    createGet(
      createDial({
        guard: createAddressGuard(allowed),
        resolve: async () => ["127.0.0.1"],
        timeoutMs: 2_000,
        ca: certificate,
      }),
    );
  try {
    const get = getting(["127.0.0.0/8"]);
    expect(await get(`${at}/text?y=2`)).toBe("at /text?y=2");
    await expect(get(`${at}/moved?x=1`)).rejects.toThrow("302");
    await expect(get(`${at}/long`)).rejects.toThrow("more than");
    await expect(getting([])(`${at}/text`)).rejects.toThrow("no public address");
  } finally {
    server.closeAllConnections();
    server.close();
    await remove();
  }
});
