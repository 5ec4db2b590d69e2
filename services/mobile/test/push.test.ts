import { service as agents } from "@heliograph/agents";
import { newId } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { endDevicesOf, forgetDevices, registerDevice } from "../src/devices.ts";
import { service } from "../src/index.ts";
import { openAgents, password, pushGateway, signIn, type Agent } from "./agents.ts";
import { peopleOf } from "./people.ts";

let world: World;
let newAgent: (key: string, more?: object) => Promise<Agent>;
beforeAll(async () => {
  world = await openWorld({
    services: [agents, service],
    consumers: "run",
    gateways: [pushGateway],
  });
  newAgent = openAgents(world);
});
afterAll(() => world.close());

const newTeam = async () => {
  const partner = await world.addPartner();
  const ada = await newAgent(partner.key);
  return { partner, ada, people: peopleOf(world, partner.id) };
};
const register = async ({ token: key }: Agent, fcm_token: string): Promise<string> => {
  const body = { fcm_token, platform: "android" };
  return (await world.call("POST", "/api/v1/mobile/devices", { key, body })).body.id;
};
type Push = { device_id: string; kind: string; status: string; conversation_id: string };
const pushes = async ({ token: key }: Agent): Promise<readonly Push[]> =>
  (await world.call("GET", "/api/v1/mobile/pushes", { key })).body.data;
const finished = (agent: Agent, count: number): Promise<readonly Push[]> =>
  until(async () => {
    const all = await pushes(agent);
    const done = all.every(({ status }) => !["due", "calling"].includes(status));
    return all.length === count && done && all;
  });
const devices = async ({ token: key }: Agent): Promise<number> =>
  (await world.call("GET", "/api/v1/mobile/devices", { key })).body.data.length;

it("an agent's devices are told of an assignment and of what the person writes then, once each, and nobody else's", async () => {
  const { partner, ada, people } = await newTeam();
  const bob = await newAgent(partner.key);
  const [phone, tablet] = [await register(ada, "ada-phone"), await register(ada, "ada-tablet")];
  await register(bob, "bob-phone");
  await people.open("one");
  await people.receive("one", ["nobody has it yet"]);
  await people.assign("one", ada);
  await people.receive("one", ["now Ada has it"]);
  const position = String(await world.platform.contexts.sandbox.log.head());
  const told = await world.call("GET", "/api/v1/mobile/pushes", {
    key: ada.token,
    headers: { "min-log-position": position },
  });
  expect(told.headers.get("projection-lag")).toMatch(/^\d+$/);
  expect(told.body.data).toHaveLength(4);
  const all = await finished(ada, 4);
  expect(all.map(({ kind }) => kind)).toEqual(["message", "message", "assigned", "assigned"]);
  expect(new Set(all.map(({ device_id }) => device_id))).toEqual(new Set([phone, tablet]));
  expect(all.every(({ status }) => status === "sent")).toBe(true);
  expect(await pushes(bob)).toEqual([]);

  await people.assign("one", bob);
  await people.receive("one", ["and now Bob"]);
  await finished(bob, 2);
  expect(await pushes(ada)).toHaveLength(4);
});

it("a push does not reach the former user: what was meant for one agent is not sent to the token's next one", async () => {
  const { partner, ada, people } = await newTeam();
  const bob = await newAgent(partner.key);
  await register(ada, "shared-phone");
  await register(bob, "shared-phone");
  await people.open("one");
  await people.assign("one", ada);
  await people.assign("one", bob);
  await finished(bob, 1);
  expect(await pushes(ada)).toEqual([]);
});

it("a device that its provider calls gone is dropped, one that cannot be reached is not; there is no second push to it", async () => {
  const { ada, people } = await newTeam();
  // In the sandbox, the last four digits of a token choose: 0003 is not registered, 0005 is away for good.
  await register(ada, "phone-0003");
  await register(ada, "phone-0005");
  await people.open("one");
  await people.assign("one", ada);
  await until(async () => (await devices(ada)) === 1);
  const dropped = await until(async () =>
    (await pushes(ada)).find(({ status }) => status === "failed"),
  );
  await people.receive("one", ["are you there?"]);
  const all = await until(async () => {
    const told = await pushes(ada);
    return told.length === 3 && told;
  });
  expect(all.filter(({ device_id }) => device_id === dropped.device_id)).toEqual([dropped]);
});

it("a phone that was registered again after its provider saw the token end is kept", async () => {
  const { partner, ada } = await newTeam();
  const { pool, vault } = world.platform.contexts.sandbox;
  const since = Date.now() - 3_600_000;
  const id = await register(ada, "registered-again");
  const forget = (registeredUntil: number) =>
    forgetDevices({ pool, vault }, partner.id, [id], { agentId: ada.id, registeredUntil });
  await forget(since);
  expect(await devices(ada)).toBe(1);
  await forget(Date.now() + 3_600_000);
  expect(await devices(ada)).toBe(0);
});

it("devices end with their agent", async () => {
  const { ada, people } = await newTeam();
  await register(ada, "ends-with-ada");
  const data = {
    agent_id: ada.id,
    status: "disabled",
    reason: "test",
    changed_at: new Date().toISOString(),
  };
  await people.append([
    { stream: `presence-${ada.id.slice(4)}`, type: "AgentPresenceChanged", data },
  ]);
  await until(async () => (await devices(ada)) === 0);
});

/** How a session ends; the devices of its phone with it. Another phone of the agent's stays. */
const ends: Readonly<Record<string, (phone: Agent, tablet: Agent) => Promise<number>>> = {
  "its phone signs out": async ({ token: key, session }) =>
    (await world.call("DELETE", `/api/v1/mobile/sessions/${session}`, { key })).status,
  "another phone signs it out": async ({ session }, { token: key }) =>
    (await world.call("DELETE", `/api/v1/mobile/sessions/${session}`, { key })).status,
  "another phone changes the password": async (_, { token: key }) => {
    const body = { current: password, new: "another correct horse" };
    return (await world.call("PUT", "/api/v1/me/password", { key, body })).status;
  },
  "a refresh token is used twice": async ({ refresh: refresh_token }) => {
    const refresh = () =>
      world.call("POST", "/api/v1/mobile/sessions/refresh", { body: { refresh_token } });
    await refresh();
    return (await refresh()).status;
  },
};

it.each(Object.entries(ends))(
  "a phone gets no more pushes once %s, and another one of the agent's does",
  async (_, end) => {
    const { ada, people } = await newTeam();
    const tablet: Agent = { ...ada, ...(await signIn(world, ada.email)) };
    await register(ada, `${ada.session}-phone`);
    const kept = await register(tablet, `${ada.session}-tablet`);
    expect([204, 401]).toContain(await end(ada, tablet));
    // Nothing is waited for: what happens after the answer is pushed to nobody who is signed out.
    await people.open("one");
    await people.assign("one", ada);
    await finished(tablet, 1).then(([push]) =>
      expect(push).toMatchObject({ device_id: kept, status: "sent" }),
    );
    await until(async () => (await devices(tablet)) === 1);
  },
);

it("a phone on which somebody signs in again is pushed to again", async () => {
  const { ada, people } = await newTeam();
  const token = `${ada.session}-again`;
  await register(ada, token);
  await world.call("DELETE", `/api/v1/mobile/sessions/${ada.session}`, { key: ada.token });
  const again: Agent = { ...ada, ...(await signIn(world, ada.email)) };
  // The end of the first session may be handled before or after this.
  const device = await register(again, token);
  await people.open("one");
  await people.assign("one", ada);
  const sent = await until(async () =>
    (await pushes(again)).find((each) => each.status === "sent"),
  );
  expect(sent.device_id).toBe(device);
  expect(await devices(again)).toBe(1);
});

it("a registration that was under way when its session ended leaves no device", async () => {
  const { partner, ada } = await newTeam();
  const { pool, vault } = world.platform.contexts.sandbox;
  await endDevicesOf({ pool, vault }, ada.session);
  const late = registerDevice(
    { pool, vault },
    {
      id: newId("dev"),
      partner: partner.id,
      agentId: ada.id,
      sessionId: ada.session,
      platform: "android",
      name: null,
      fcmToken: "late-phone",
    },
  );
  await expect(late).rejects.toMatchObject({ code: "session_revoked" });
  expect(await devices(ada)).toBe(0);
});
