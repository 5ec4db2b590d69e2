import { newId, streamOf, type EventData } from "@heliograph/contracts";
import { lifecycleTypeOf } from "@heliograph/domain";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { service } from "../src/index.ts";
import {
  addContact,
  agentCreated,
  appendTo,
  placed,
  say,
  tellOfFile,
} from "@heliograph/testkit/people";

let world: World;
let partner: { id: string; key: string };
const at = "2026-05-23T14:22:17.000Z";
const context = () => world.platform.contexts.sandbox;

beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run" });
});
afterAll(() => world.close());
beforeEach(async () => {
  partner = await world.addPartner();
});

const call = (method: string, path: string, body?: object, key = partner.key) =>
  world.call(method, `/api/v1${path}`, { key, ...(body !== undefined && { body }) });

async function addAgent(given: Partial<EventData<"AgentCreated">> = {}): Promise<string> {
  const agent = agentCreated(partner.id, given);
  await world.appendPlatform(streamOf("agent", agent.agent_id), "no_stream", "AgentCreated", agent);
  return agent.agent_id;
}
const presence = (agent: string, status: string) =>
  appendTo(
    context(),
    streamOf("presence", agent),
    "AgentPresenceChanged",
    { agent_id: agent, status, reason: "test", changed_at: at },
    partner.id,
  );
async function addTeam(given: Partial<EventData<"TeamCreated">> = {}): Promise<string> {
  const team_id = newId("tea");
  const data = {
    team_id,
    name: "Support",
    agent_ids: [],
    routing: "least_busy",
    working_hours: null,
    skills: [],
    languages: [],
    inboxes: [],
    first_response_seconds: null,
    resolution_seconds: null,
    created_at: at,
    ...given,
  };
  await appendTo(context(), streamOf("team", team_id), "TeamCreated", data, partner.id);
  return team_id;
}
async function inbound(): Promise<string> {
  const contact = await addContact(context(), partner.id);
  const id = await say(context(), { partner: partner.id, contact, from: newId("msg"), text: "hi" });
  return (await placed(context(), id)).data.conversation_id;
}
const shown = async (conversation: string) =>
  (await call("GET", `/conversations/${conversation}`)).body as {
    assignee: { id: string } | null;
    team: string | null;
    first_response_due_at: string | null;
  };

describe("automatic assignment", () => {
  it("gives a new conversation to an agent, with its due time, and conversation.opened comes before assigned", async () => {
    const ada = await addAgent();
    const team = await addTeam({ agent_ids: [ada], first_response_seconds: 600 });
    await presence(ada, "online");
    const conversation = await inbound();
    const view = await until(async () => {
      const found = await shown(conversation);
      return found.assignee === null ? undefined : found;
    });
    expect(view).toMatchObject({ assignee: { id: ada, name: "Ada" }, team });
    expect(Date.parse(view.first_response_due_at!)).toBeGreaterThan(Date.now());
    const { body } = await call("GET", `/conversations/${conversation}/timeline`);
    const types = (body.data as { type: string }[]).map(({ type }) => type);
    expect(types.indexOf("ConversationOpened")).toBeLessThan(types.indexOf("ConversationAssigned"));
    const { events } = await context().log.readAll({ after: 0n, limit: 2_000 });
    const told = events
      .filter(({ metadata }) => metadata.partner === partner.id)
      .map(lifecycleTypeOf)
      .filter((type) => type?.startsWith("conversation."));
    expect(told).toEqual(["conversation.opened", "conversation.assigned"]);
  });
});

describe("POST /conversations/{id}/assign", () => {
  it("to an agent: it has it, whoever had it is named in the event, and once more changes nothing", async () => {
    const [ada, bob] = [await addAgent(), await addAgent({ name: "Bob" })];
    const conversation = await inbound();
    const path = `/conversations/${conversation}/assign`;
    const first = await call("POST", path, { agent_id: ada });
    expect([first.status, first.body.assignee]).toEqual([200, { id: ada, name: "Ada" }]);
    expect((await call("POST", path, { agent_id: ada })).status).toBe(200);
    await call("POST", path, { agent_id: bob });
    const { body } = await call("GET", `/conversations/${conversation}/timeline`);
    const assigned = (body.data as { type: string; data: object }[]).filter(
      ({ type }) => type === "ConversationAssigned",
    );
    expect(assigned.map(({ data }) => data)).toMatchObject([
      { agent: { id: ada } },
      { agent: { id: bob }, previous_agent: { id: ada, name: "Ada" } },
    ]);
    const before = await call("GET", `/conversations/${conversation}`);
    const robert = agentCreated(partner.id, { agent_id: bob, name: "Robert" });
    const { email: _, login: __, status: ___, created_at: changed_at, ...profile } = robert;
    const change = { ...profile, changed_at };
    await world.appendPlatform(streamOf("agent", bob), "any", "AgentChanged", change);
    const renamed = await call("GET", `/conversations/${conversation}`);
    expect(renamed.body.assignee).toEqual({ id: bob, name: "Robert" });
    expect(renamed.headers.get("etag")).not.toBe(before.headers.get("etag"));
    // He signs out everywhere: nothing that is shown changes, and what somebody is writing is no conflict.
    const ended = {
      agent_id: bob,
      partner_id: partner.id,
      generation: 1,
      reason: "all",
      ended_at: at,
    };
    await world.appendPlatform(streamOf("agent", bob), "any", "AgentSessionsEnded", ended);
    const same = await call("GET", `/conversations/${conversation}`);
    expect(same.headers.get("etag")).toBe(renamed.headers.get("etag"));
    const list = await call("GET", `/conversations?assignee=${bob}`);
    expect(list.body.data).toMatchObject([{ assignee: { id: bob, name: "Robert" } }]);
    const back = await call("POST", `/conversations/${conversation}/unassign`);
    expect([back.status, back.body.assignee]).toEqual([200, null]);
  });

  it("to a disabled agent is 422, to a foreign one, one of live or none 404, and nothing changes", async () => {
    const disabled = await addAgent();
    const data = { agent_id: disabled, partner_id: partner.id, disabled_at: at };
    await world.appendPlatform(streamOf("agent", disabled), "any", "AgentDisabled", data);
    const viewer = await addAgent({ role: "viewer" });
    const live = await addAgent({ environments: ["live"] });
    const foreign = await addAgent({ partner_id: newId("ptn") });
    const conversation = await inbound();
    const path = `/conversations/${conversation}/assign`;
    for (const agent_id of [disabled, viewer]) {
      const { status, body } = await call("POST", path, { agent_id });
      expect([status, body.errors[0].path]).toEqual([422, "agent_id"]);
    }
    for (const body of [
      { agent_id: live },
      { agent_id: foreign },
      { agent_id: newId("agt") },
      { team_id: newId("tea") },
      { team_id: "x" },
    ])
      expect((await call("POST", path, body)).status).toBe(404);
    const both = await call("POST", path, { agent_id: viewer, team_id: newId("tea") });
    expect(both.status).toBe(422);
    expect((await shown(conversation)).assignee).toBeNull();
  });

  it("with nobody there answers with the unassigned conversation and the reason, and assigns when one comes", async () => {
    const ada = await addAgent();
    const team = await addTeam({ agent_ids: [ada], inboxes: ["elsewhere"] });
    const conversation = await inbound();
    const path = `/conversations/${conversation}/assign`;
    const none = await call("POST", path, {});
    expect(none.body).toMatchObject({
      assignee: null,
      reason: "no team takes conversations of this inbox",
    });
    const waits = await call("POST", path, { team_id: team });
    expect(waits.body).toMatchObject({
      assignee: null,
      team,
      reason: "nobody of Support can take it: 1 offline",
    });
    await presence(ada, "online");
    await until(async () => (await shown(conversation)).assignee?.id === ada || undefined);
  });

  it("to a team answers with its agent, and says why", async () => {
    const ada = await addAgent();
    const team = await addTeam({ agent_ids: [ada], inboxes: ["elsewhere"] });
    await presence(ada, "online");
    const conversation = await inbound();
    const { status, body } = await call("POST", `/conversations/${conversation}/assign`, {
      team_id: team,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      assignee: { id: ada },
      team,
      reason: "the only one of Support who can take it, 0 of 3 places taken",
    });
  });

  it("of a closed conversation is a conflict, and of another partner's there is none", async () => {
    const ada = await addAgent();
    const conversation = await inbound();
    await call("POST", `/conversations/${conversation}/close`);
    const path = `/conversations/${conversation}/assign`;
    for (const body of [{ agent_id: ada }, {}])
      expect((await call("POST", path, body)).body.code).toBe("conflict");
    const { key } = await world.addPartner();
    expect((await call("POST", path, {}, key)).status).toBe(404);
    expect(
      (await call("POST", `/conversations/${conversation}/unassign`, undefined, key)).status,
    ).toBe(404);
  });
});

it("A file that is being fetched is said so, and then that it is there or why not, in the conversation and the history", async () => {
  const contact = await addContact(context(), partner.id);
  const saying = { partner: partner.id, contact, from: newId("msg"), file: newId("att") };
  const { data: message } = await placed(context(), await say(context(), saying));
  const mediaAt = async (path: string, headers = {}) => {
    const { body } = await world.call("GET", `/api/v1${path}`, { key: partner.key, headers });
    const { fetching, not_kept, type, bytes } = body.data[0].media[0];
    return { fetching, not_kept, type, bytes };
  };
  const shown = () => mediaAt(`/conversations/${message.conversation_id}/messages`);
  const tell = (...news: Parameters<typeof tellOfFile>[3]) =>
    tellOfFile(context(), partner.id, message, news);
  expect(await shown()).toEqual({});
  await tell("ReceivedFileAwaited");
  expect(await shown()).toEqual({ fetching: true });
  await tell("ReceivedFileLost", { reason: "unreachable" });
  expect(await shown()).toEqual({ not_kept: "unreachable" });
  const fresh = { "min-log-position": String(await context().log.head()) };
  const history = await mediaAt(`/contacts/${contact}/messages`, fresh);
  expect(history).toEqual({ not_kept: "unreachable" });
  // A try that had ended before it was told so may have kept it nevertheless.
  const kept = { type: "image/gif", bytes: 18 };
  await tell("ReceivedFileKept", kept);
  expect(await shown()).toEqual(kept);
});
