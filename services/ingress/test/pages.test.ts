import { errorCatalogue } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { sms } from "./sending.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services });
});
afterAll(() => world.close());

test("doc_url opens a page about the error, on the instance itself", async () => {
  const refused = await world.call("GET", "/api/v1/balance");
  const { doc_url: address } = refused.body;
  expect(address).toBe(`http://127.0.0.1:${world.port}/errors/authentication_required`);
  const page = await fetch(address);
  expect([page.status, page.headers.get("content-type")]).toEqual([
    200,
    "text/html; charset=utf-8",
  ]);
  expect(await page.text()).toContain("Authorization: Bearer");
});

test("every error has its page, and all are listed", async () => {
  const list = (await world.call("GET", "/errors")).text;
  for (const code of Object.keys(errorCatalogue)) {
    const page = await world.call("GET", `/errors/${code}`);
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/<h1>[^<]+<\/h1>\n<p>.+<\/p>\n<p>.{10,}<\/p>/);
    expect(list).toContain(`/errors/${code}`);
  }
  for (const code of ["nothing", "__proto__", "constructor", "%3Cscript%3E"])
    expect((await world.call("GET", `/errors/${code}`)).status).toBe(404);
});

test("the address by itself answers with where to go, and all of it is there", async () => {
  const page = await world.call("GET", "/");
  expect(page.status).toBe(200);
  const links = [...page.text.matchAll(/href="([^"]+)"/g)].map(([, link]) => link!);
  expect(links.length).toBeGreaterThan(2);
  for (const link of links) expect((await world.call("GET", link)).status).toBe(200);
});

test("prices are shown, and a first 402 says how to top up", async () => {
  const poor = await world.addPartner({ funds: "0.001" });
  const prices = await world.call("GET", "/api/v1/prices", { key: poor.key });
  expect(prices.body.entries).toContainEqual({
    channel: "sms",
    prefix: "1",
    per_segment: "0.0079",
  });
  const refused = await world.call("POST", "/api/v1/messages", { key: poor.key, body: sms });
  expect([refused.status, refused.body.cost]).toEqual([402, "0.0079"]);
  expect(refused.body.detail).toContain("POST /api/v1/wallet/topups");
});

test("a channel without a gateway names the setting that an operator has to make", async () => {
  const { id } = await world.addPartner();
  const key = await world.addKey(id, { environment: "live" });
  const refused = await world.call("POST", "/api/v1/messages", { key, body: sms });
  expect(refused.body).toMatchObject({
    code: "channel_not_enabled",
    errors: [{ path: "channel" }],
  });
  expect(refused.body.detail).toContain("HELIOGRAPH_LOG_GATEWAY_CHANNELS=sms");
});

test("metrics tell how many requests there were, how long they took and which build answers", async () => {
  const { key } = await world.addPartner();
  await world.call("GET", "/api/v1/balance", { key });
  await world.call("GET", "/api/v1/no-such-thing", { key });
  const { text } = await world.call("GET", "/metrics");
  expect(text).toMatch(
    /heliograph_http_request_seconds_count\{method="GET",route="\/balance",status="200"\} [1-9]/,
  );
  // Addresses from outside are one line, however many there are.
  expect(text).toMatch(
    /heliograph_http_request_seconds_count\{method="",route="",status="404"\} [1-9]/,
  );
  expect(text).not.toContain("no-such-thing");
  expect(text).toMatch(/heliograph_build_info\{version="[\d.]+",node="[\d.]+"\} 1/);
});
