import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { linkIn, openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const open = (method: string, path: string, body?: string) =>
  scene.world.call(method, path, {
    ...(body !== undefined && {
      raw: body,
      headers: { "content-type": "application/x-www-form-urlencoded" },
    }),
  });

test("a visitor gets a sandbox, its key once by a link that only the button spends, and the team takes the contact by its own", async () => {
  await scene.manage("PUT", "/rota", { contacts: ["Ann <ann@example.org>", "bob@example.org"] });
  const { id, email } = await scene.ask({ company: "Flow Ltd" });
  const welcome = await scene.mailTo(email);
  expect(welcome.text).toContain("Your technical contact is Ann\n<ann@example.org>.");
  expect(welcome.raw).toMatch(/^From: Heliograph <team@example.org>\r$/m);
  const link = linkIn(welcome.text);

  // A scanner of mail: none of this spends the link.
  for (const method of ["HEAD", "GET", "GET"]) {
    const page = await open(method, link);
    expect(page.status).toBe(200);
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    expect(page.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; form-action 'self'/,
    );
    expect(page.text).not.toContain("ak_test_");
  }
  const both = await Promise.all([open("POST", link), open("POST", link, "")]);
  expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 410]));
  const key = /ak_test_\w{36}/.exec(both.map(({ text }) => text).join())![0];
  expect((await open("POST", link)).status).toBe(410);
  expect((await open("GET", link)).status).toBe(410);
  const balance = await scene.world.call("GET", "/api/v1/balance", { key });
  expect(balance.body).toMatchObject({ available: "1200" });
  const own = await scene.world.call("GET", "/api/v1/keys", { key });
  expect(own.body.data).toMatchObject([{ name: "evaluation", environment: "sandbox" }]);
  // The key stands in no event and no table.
  const { platformLog, platformPool } = scene.world.platform;
  const { events } = await platformLog.readAll({ after: 0n, limit: 1_000 });
  expect(JSON.stringify(events.map(({ data, metadata }) => ({ data, metadata })))).not.toContain(
    key,
  );
  const { rows } = await platformPool.query("select * from evaluation_desk.access");
  expect(JSON.stringify(rows)).not.toContain(link.split("/").at(-1));

  const message = await scene.toldOf("Flow Ltd");
  expect(message.text).toContain("Contact: Ann");
  const take = linkIn(message.text);
  expect(JSON.stringify(message.blocks)).toContain(take);
  expect((await open("GET", take)).text).toContain('<option value="ann@example.org" selected>');
  const stranger = "contact=mallory%40example.net";
  expect((await open("POST", take, stranger)).status).toBe(422);
  const elsewhere =
    "contact=bob%40example.org&slack_invite_url=https%3A%2F%2Fslack.com.evil.example%2F";
  expect((await open("POST", take, elsewhere)).status).toBe(422);
  const form =
    "contact=bob%40example.org&slack_invite_url=https%3A%2F%2Fjoin.slack.com%2Fshare%2Fx";
  const taken = await Promise.all([open("POST", take, form), open("POST", take, form)]);
  expect(new Set(taken.map(({ status }) => status))).toEqual(new Set([200, 410]));
  expect((await open("GET", take)).text).toContain("bob@example.org");
  const introduction = await scene.mailTo(email, 2);
  expect(introduction.text).toContain("bob@example.org");
  expect(introduction.text).toContain("https://join.slack.com/share/x");
  expect(scene.mails(email)).toHaveLength(2);

  const shown = await until(async () => {
    const { body } = await scene.manage("GET", `/${id}`);
    return body.key_shown_at !== null && body;
  });
  expect(shown).toMatchObject({
    status: "contacted",
    company: "Flow Ltd",
    email,
    contact: { email: "bob@example.org", agent_id: null },
    slack_invite_url: "https://join.slack.com/share/x",
    notes: [],
  });
});

test("what a visitor wrote of a person stands sealed in the log and in the list", async () => {
  const { id, email } = await scene.ask();
  const { platformLog, platformPool } = scene.world.platform;
  const stored = JSON.stringify(
    (await platformLog.readStream(streamOf("evaluation", id))).map(({ data, metadata }) => [
      data,
      metadata,
    ]),
  );
  await until(async () => (await scene.manage("GET", "?limit=1")).body.data[0]?.id === id);
  const { rows } = await platformPool.query("select data::text from evaluations.evaluations");
  for (const secret of [email, "Eve Example", "Order confirmations"])
    expect(stored + JSON.stringify(rows)).not.toContain(secret);
});
