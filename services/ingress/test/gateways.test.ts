import { newId } from "@heliograph/contracts";
import { service as dispatch } from "@heliograph/dispatch";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/service.ts";

let world: World;
const owner = newId("ptn");
const gateway = {
  environment: "sandbox",
  kind: "simulator",
  enabled: true,
  weight: 100,
  max_concurrent: 64,
  timeout_ms: 10_000,
  on_uncertain: "ask_provider",
  settings: {},
} as const;
beforeAll(async () => {
  world = await openWorld({
    services: [dispatch, service],
    partners: [{ funds: "5" }],
    gateways: [
      { ...gateway, gateway_id: newId("gtw"), name: "own", channel: "whatsapp", partner_id: owner },
      { ...gateway, gateway_id: newId("gtw"), name: "us", channel: "sms", countries: ["US"] },
    ],
  });
});
afterAll(() => world.close());

test.each([
  ["another partner's gateway", "whatsapp", "+15551230001"],
  ["a gateway that does not carry to the country", "sms", "+447911123456"],
])(
  "what only %s could carry is refused, and not accepted to wait for it",
  async (_, channel, to) => {
    const { key } = world.partners[0]!;
    const body = { channel, to, text: "hello" };
    const before = await world.heads();
    const answer = await world.call("POST", "/api/v1/messages", { key, body });
    expect([answer.status, answer.body.code]).toEqual([422, "channel_not_enabled"]);
    expect(await world.heads()).toBe(before);
  },
);

test("what its gateway carries to the country is accepted", async () => {
  const { key } = world.partners[0]!;
  const body = { channel: "sms", to: "+15551230001", text: "hello" };
  expect((await world.call("POST", "/api/v1/messages", { key, body })).status).toBe(202);
});

test("a gateway that is another partner's is shown to administrators, and to nobody else", async () => {
  const shown = async (key: string): Promise<readonly string[]> => {
    const { body } = await world.call("GET", "/api/v1/gateways?limit=100", { key });
    return (body.data as { name: string }[]).map(({ name }) => name);
  };
  const [partner] = world.partners;
  const theirs = await shown(partner!.key);
  expect(theirs).toContain("us");
  expect(theirs).not.toContain("own");
  const admin = await world.addKey(partner!.id, { scopes: ["admin", "*"] });
  expect(await shown(admin)).toContain("own");
});
