import { service as agents } from "@heliograph/agents";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service } from "../src/index.ts";
import { openAgents, type Agent } from "./agents.ts";

let world: World;
let newAgent: (key: string, more?: object) => Promise<Agent>;
beforeAll(async () => {
  world = await openWorld({ services: [agents, service] });
  newAgent = openAgents(world);
});
afterAll(() => world.close());

type Device = { readonly id: string; readonly name: string | null };
const register = async (agent: Agent, fcm_token: string, more: object = {}): Promise<Device> => {
  const body = { fcm_token, platform: "android", ...more };
  const answer = await world.call("POST", "/api/v1/mobile/devices", { key: agent.token, body });
  expect(answer.status).toBe(201);
  return answer.body as Device;
};
const devices = async ({ token: key }: Agent): Promise<readonly Device[]> =>
  (await world.call("GET", "/api/v1/mobile/devices", { key })).body.data;
const remove = async (agent: Agent, id: string): Promise<number> =>
  (await world.call("DELETE", `/api/v1/mobile/devices/${id}`, { key: agent.token })).status;
const rows = async (): Promise<readonly { id: string; token: string }[]> =>
  (
    await world.platform.contexts.sandbox.pool.query<{ id: string; token: string }>(
      "select id, token from mobile_devices.devices",
    )
  ).rows;

it("the same token again is the same device", async () => {
  const ada = await newAgent((await world.addPartner()).key);
  const first = await register(ada, "token-ada");
  const again = await register(ada, "token-ada", { name: "Pixel" });
  expect(again.id).toBe(first.id);
  expect(await devices(ada)).toEqual([{ ...again, name: "Pixel" }]);
});

it("a push does not reach the former user: a token that another agent registers is that agent's alone", async () => {
  const { key } = await world.addPartner();
  const [ada, bob] = [await newAgent(key), await newAgent(key)];
  const stranger = await newAgent((await world.addPartner()).key);
  await register(ada, "token-shared");
  const bobs = await register(bob, "token-shared");
  expect(await devices(ada)).toEqual([]);
  expect((await devices(bob)).map(({ id }) => id)).toEqual([bobs.id]);
  expect(await remove(ada, bobs.id)).toBe(404);
  const theirs = await register(stranger, "token-shared");
  expect(theirs.id).not.toBe(bobs.id);
  expect(await devices(bob)).toEqual([]);
  const all = await Promise.all(
    [ada, bob, stranger, bob].map((agent) => register(agent, "token-raced")),
  );
  const left = (await rows()).filter(({ id }) => all.some((device) => device.id === id));
  expect(left).toHaveLength(1);
});

it("a phone that sends the same registration for another agent, with the same key, is that agent's", async () => {
  const { key } = await world.addPartner();
  const [ada, bob] = [await newAgent(key), await newAgent(key)];
  const body = { fcm_token: "token-of-one-phone", platform: "android" };
  for (const agent of [ada, bob]) {
    const options = { key: agent.token, body, headers: { "idempotency-key": "register" } };
    expect((await world.call("POST", "/api/v1/mobile/devices", options)).status).toBe(201);
  }
  expect(await devices(ada)).toEqual([]);
  expect(await devices(bob)).toHaveLength(1);
});

it("a key that was used for another token, a day ago, makes another device", async () => {
  const ada = await newAgent((await world.addPartner()).key);
  const headers = { "idempotency-key": "start-of-the-app" };
  const once = async (fcm_token: string) => {
    const body = { fcm_token, platform: "android" };
    const { pool } = world.platform.contexts.sandbox;
    await pool.query("delete from ingress.idempotency");
    return world.call("POST", "/api/v1/mobile/devices", { key: ada.token, body, headers });
  };
  const [first, second, again] = [
    await once("token-1"),
    await once("token-2"),
    await once("token-1"),
  ];
  expect([first.status, second.status, again.status]).toEqual([201, 201, 201]);
  expect(again.body.id).toBe(first.body.id);
  expect((await devices(ada)).map(({ id }) => id).toSorted()).toEqual(
    [first.body.id as string, second.body.id as string].toSorted(),
  );
});

it("a token is kept sealed, and destroyed with its device", async () => {
  const partner = await world.addPartner();
  const ada = await newAgent(partner.key);
  const { id } = await register(ada, "token-secret");
  const { token } = (await rows()).find((row) => row.id === id)!;
  expect(token).toMatch(/^sealed:v1\./);
  const { vault } = world.platform.contexts.sandbox;
  expect((await vault.open(partner.id, token))(token)).toBe("token-secret");
  expect(await remove(ada, id)).toBe(204);
  expect((await vault.open(partner.id, token))(token)).toBe("[erased]");
  expect((await rows()).some((row) => row.id === id)).toBe(false);
  expect(await remove(ada, id)).toBe(404);
});

it("an agent keeps the 20 devices that were registered last", async () => {
  const ada = await newAgent((await world.addPartner()).key);
  for (let index = 0; index < 21; index++)
    await register(ada, `token-many-${index}`, { name: `${index}` });
  const names = (await devices(ada)).map(({ name }) => name);
  expect(names).toHaveLength(20);
  expect(names).not.toContain("0");
});

it("a key has no devices, and what is no token is refused", async () => {
  const { key } = await world.addPartner();
  expect(await world.call("GET", "/api/v1/mobile/devices", { key })).toMatchObject({ status: 403 });
  const ada = await newAgent(key);
  const body = { fcm_token: "no token", platform: "android" };
  const answer = await world.call("POST", "/api/v1/mobile/devices", { key: ada.token, body });
  expect(answer).toMatchObject({ status: 422, body: { code: "invalid_request" } });
});

it("signing out ends a waiting sync long before its time", async () => {
  const ada = await newAgent((await world.addPartner()).key);
  // As long as the test may take: whoever waits to the end fails it.
  const waiting = world.call("GET", "/api/v1/mobile/sync?after=0&wait=30", { key: ada.token });
  const path = `/api/v1/mobile/sessions/${ada.session}`;
  expect((await world.call("DELETE", path, { key: ada.token })).status).toBe(204);
  expect(await waiting).toMatchObject({ status: 401 });
}, 30_000);
