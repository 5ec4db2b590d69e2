import { deterministicId, newId, streamOf, uuid5, type EventData } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { until } from "@heliograph/testkit";
import { agentCreated } from "@heliograph/testkit/people";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { service } from "../src/index.ts";
import { newTeam, patchedTeam } from "../src/teams/decide.ts";

let world: World;
const at = "2026-05-23T14:22:17.000Z";

async function addAgent(
  partner: string,
  given: Partial<EventData<"AgentCreated">> = {},
): Promise<string> {
  const agent = agentCreated(partner, given);
  await world.appendPlatform(streamOf("agent", agent.agent_id), "no_stream", "AgentCreated", agent);
  return agent.agent_id;
}

const call = (method: string, path: string, body?: unknown, headers = {}, partner = 0) =>
  world.call(method, `/api/v1${path}`, {
    key: world.partners[partner]!.key,
    headers,
    ...(body !== undefined && { body }),
  });
const mine = (): string => world.partners[0]!.id;
const make = async (given: object = {}) => {
  const answer = await call("POST", "/teams", {
    name: "Support",
    agent_ids: [],
    routing: "least_busy",
    ...given,
  });
  expect(answer.status).toBe(201);
  return answer.body as { id: string; agent_ids: string[] };
};

beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run", partners: [{}, {}] });
});
afterAll(() => world.close());

describe("a team", () => {
  it("is refused where there are as many as may be, to those too who ask at once", async () => {
    const { log } = world.platform.contexts.sandbox;
    const added = await world.addPartner();
    const left = 2;
    await log.append(
      Array.from({ length: 500 - left }, (_, index) => {
        const id = deterministicId("tea", added.id, String(index));
        const data = {
          ...newTeam(id, { name: "T", agent_ids: [], routing: "least_busy" }),
          created_at: at,
        };
        const event = { id: uuid5(id), type: "TeamCreated", data, metadata: { partner: added.id } };
        return { stream: streamOf("team", id), expected: "no_stream" as const, events: [event] };
      }),
    );
    const body = { name: "Support", agent_ids: [], routing: "least_busy" };
    const answers = await Promise.all(
      Array.from({ length: left + 3 }, () =>
        world.call("POST", "/api/v1/teams", { key: added.key, body }),
      ),
    );
    expect(answers.map(({ status }) => `${status}`).toSorted()).toEqual([
      "201",
      "201",
      "409",
      "409",
      "409",
    ]);
  });

  it("is made, read with its tag, changed, listed and deleted", async () => {
    const ada = await addAgent(mine());
    const working_hours = {
      zone: "Europe/Berlin",
      days: [{ day: "mon", from: "21:00", to: "02:00" }],
    };
    const team = await make({ agent_ids: [ada], working_hours, first_response_seconds: 60 });
    const got = await call("GET", `/teams/${team.id}`);
    expect(got.body).toMatchObject({
      name: "Support",
      agent_ids: [ada],
      routing: "least_busy",
      working_hours,
      skills: [],
      first_response_seconds: 60,
      resolution_seconds: null,
    });
    const tag = got.headers.get("etag")!;
    const same = await call("GET", `/teams/${team.id}`, undefined, { "if-none-match": tag });
    expect(same.status).toBe(304);

    const patched = await call(
      "PATCH",
      `/teams/${team.id}`,
      { name: "Sales" },
      { "if-match": tag },
    );
    expect(patched.body).toMatchObject({ name: "Sales", agent_ids: [ada], working_hours });
    const late = await call("PATCH", `/teams/${team.id}`, { name: "Late" }, { "if-match": tag });
    expect([late.status, late.body.code]).toEqual([412, "precondition_failed"]);

    const listed = await until(async () => {
      const { body } = await call("GET", "/teams");
      return (body.data as { id: string; name: string }[]).find(
        ({ id, name }) => id === team.id && name === "Sales",
      );
    });
    expect(listed).toEqual(patched.body);

    expect((await call("DELETE", `/teams/${team.id}`)).status).toBe(204);
    expect((await call("GET", `/teams/${team.id}`)).status).toBe(404);
    expect((await call("PATCH", `/teams/${team.id}`, { name: "x" })).status).toBe(404);
    await until(async () => {
      const { body } = await call("GET", "/teams");
      return (body.data as { id: string }[]).every(({ id }) => id !== team.id) || undefined;
    });
  });

  it("a partial save unlinks nothing: absent is not empty, empty is, and null takes away", async () => {
    const ada = await addAgent(mine());
    const { id } = await make({ agent_ids: [ada], skills: ["billing"], resolution_seconds: 5 });
    const renamed = await call("PATCH", `/teams/${id}`, { name: "Only the name" });
    expect(renamed.body).toMatchObject({ agent_ids: [ada], skills: ["billing"] });
    const cleared = await call("PATCH", `/teams/${id}`, { skills: null, resolution_seconds: null });
    expect(cleared.body).toMatchObject({ agent_ids: [ada], skills: [], resolution_seconds: null });
    const emptied = await call("PATCH", `/teams/${id}`, { agent_ids: [] });
    expect(emptied.body).toMatchObject({ agent_ids: [] });
    expect((await call("PATCH", `/teams/${id}`, { name: null })).status).toBe(422);
  });

  it("has agents of the partner and environment only: others are named by their place", async () => {
    const own = await addAgent(mine());
    const foreign = await addAgent(world.partners[1]!.id);
    const live = await addAgent(mine(), { environments: ["live"] });
    const answer = await call("POST", "/teams", {
      name: "Support",
      agent_ids: [own, foreign, live, "nobody"],
      routing: "manual",
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map(({ path }: { path: string }) => path)).toEqual([
      "agent_ids.1",
      "agent_ids.2",
      "agent_ids.3",
    ]);
  });

  it.each([
    [{ working_hours: { zone: "+01:00", days: [] } }, "working_hours.zone"],
    [{ working_hours: { zone: "Mars/Olympus", days: [] } }, "working_hours.zone"],
    [
      { working_hours: { zone: "UTC", days: [{ day: "mon", from: "9:00", to: "24:00" }] } },
      "working_hours.days.0.from",
    ],
    [{ routing: "random" }, "routing"],
    [{ unknown: 1 }, "unknown"],
    [{ agent_ids: ["a", "a"] }, "agent_ids"],
  ])("is refused with the field that is wrong (%#)", async (change, path) => {
    const answer = await call("POST", "/teams", {
      name: "Support",
      agent_ids: [],
      routing: "manual",
      ...change,
    });
    expect([answer.status, answer.body.errors[0].path]).toEqual([422, path]);
  });

  it("of another partner is not there, and one made twice with a key is one", async () => {
    const { id } = await make();
    for (const [method, body] of [["GET"], ["PATCH", { name: "x" }], ["DELETE"]] as const)
      expect((await call(method, `/teams/${id}`, body, {}, 1)).status).toBe(404);
    const headers = { "idempotency-key": newId("req") };
    const body = { name: "Once", agent_ids: [], routing: "manual" };
    const first = await call("POST", "/teams", body, headers);
    const second = await call("POST", "/teams", body, headers);
    expect(second.body).toEqual(first.body);
  });
});

it("patching with nothing changes nothing, and with all of a team gives that team", () => {
  const range = fc.constant({ day: "mon" as const, from: "09:00", to: "17:00" });
  const hours = fc.record({ zone: fc.constant("UTC"), days: fc.array(range, { maxLength: 2 }) });
  const team = fc.record({
    name: fc.string({ minLength: 1 }),
    agent_ids: fc.array(fc.string()),
    routing: fc.constantFrom("round_robin" as const, "manual" as const),
    working_hours: fc.option(hours),
    skills: fc.array(fc.string()),
    first_response_seconds: fc.option(fc.nat()),
  });
  const id = deterministicId("tea", "x");
  fc.assert(
    fc.property(team, team, (one, other) => {
      const before = newTeam(id, one);
      expect(patchedTeam(before, {})).toEqual({ team: before });
      expect(patchedTeam(before, { languages: null, inboxes: null, ...other })).toEqual({
        team: newTeam(id, { ...other }),
      });
    }),
  );
});

describe("presence", () => {
  it("is set by a key for any agent of the partner, and once", async () => {
    const ada = await addAgent(mine());
    const first = await call("PUT", `/agents/${ada}/presence`, { status: "online" });
    expect([first.status, first.body.status]).toEqual([200, "online"]);
    const again = await call("PUT", `/agents/${ada}/presence`, { status: "online" });
    expect(again.body).toEqual(first.body);
    const { log } = world.platform.contexts.sandbox;
    expect(await log.readStream(streamOf("presence", ada))).toHaveLength(1);
  });

  it("of others, of nobody and of another environment there is none", async () => {
    const foreign = await addAgent(world.partners[1]!.id);
    const live = await addAgent(mine(), { environments: ["live"] });
    for (const id of [foreign, live, newId("agt"), "x"])
      expect((await call("PUT", `/agents/${id}/presence`, { status: "away" })).status).toBe(404);
    const ada = await addAgent(mine());
    expect((await call("PUT", `/agents/${ada}/presence`, { status: "disabled" })).status).toBe(422);
  });

  it("a key that may only read agents sets nobody's", async () => {
    const ada = await addAgent(mine());
    const key = await world.addKey(mine(), { scopes: ["agents:read"] });
    const body = { status: "online" };
    const answer = await world.call("PUT", `/api/v1/agents/${ada}/presence`, { key, body });
    expect([answer.status, answer.body.code]).toEqual([403, "insufficient_scope"]);
  });

  it("of a disabled agent is refused", async () => {
    const ada = await addAgent(mine());
    const data = { agent_id: ada, partner_id: mine(), disabled_at: at };
    await world.appendPlatform(streamOf("agent", ada), "any", "AgentDisabled", data);
    const answer = await call("PUT", `/agents/${ada}/presence`, { status: "online" });
    expect([answer.status, answer.body.code]).toEqual([409, "conflict"]);
  });
});
