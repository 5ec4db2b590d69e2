import { until } from "@heliograph/testkit";
import { beforeAll, expect, it } from "vitest";
import { openSetting, type Setting } from "./setting.ts";

let setting: Setting;
beforeAll(async () => {
  setting = await openSetting();
}, 60_000);

type Told = {
  readonly type: string;
  readonly sequence: number;
  readonly data: Record<string, unknown>;
};

it("ten people who write at once: the agent of three places has three, the feed tells opened before assigned, and a closed one takes the next", async () => {
  const { sandbox } = setting;
  const agent = await sandbox.post("/agents", {
    name: "Ada",
    email: "ada.assignment@example.com",
    role: "agent",
    capacity: 3,
    password: "correct horse battery staple",
  });
  expect(agent.status).toBe(201);
  const { id } = agent.body;
  expect((await sandbox.put(`/agents/${id}/presence`, { status: "online" })).status).toBe(200);
  const team = await sandbox.post("/teams", {
    name: "Support",
    agent_ids: [id],
    routing: "least_busy",
    first_response_seconds: 900,
  });
  expect(team.status).toBe(201);

  const sent = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      sandbox.post("/sandbox/inbound", {
        channel: "sms",
        from: `+1555777${String(index).padStart(4, "0")}`,
        text: "Where is my order?",
      }),
    ),
  );
  expect(sent.map(({ status }) => status)).toEqual(Array(10).fill(202));

  const held = (): Promise<readonly { id: string }[]> =>
    sandbox.get(`/conversations?assignee=${id}`).then(({ body }) => body.data);
  await until(async () => {
    const { body } = await sandbox.get("/conversations?limit=100&assignee=none");
    return (body.data.length === 7 && (await held()).length === 3) || undefined;
  });
  const { body: feed } = await sandbox.get("/events?after=0&limit=100");
  const told = (feed.data as Told[]).filter(({ type }) => type.startsWith("conversation."));
  for (const { data, sequence } of told.filter(({ type }) => type === "conversation.assigned")) {
    const opened = told.find(
      (each) =>
        each.type === "conversation.opened" &&
        each.data["conversation_id"] === data["conversation_id"],
    );
    expect(opened!.sequence).toBeLessThan(sequence);
    expect(data).toMatchObject({ agent: { id, name: "Ada" }, contact_id: expect.any(String) });
    expect(data["reason"]).toContain("who can take it");
  }
  const [first] = await held();
  await sandbox.post(`/conversations/${first!.id}/close`, {});
  await until(
    async () =>
      (await sandbox.get("/conversations?assignee=none")).body.data.length === 6 || undefined,
  );

  await sandbox.post(`/agents/${id}/disable`, {});
  await until(async () => {
    const { body } = await sandbox.get("/conversations?status=open&assignee=none");
    return body.data.length === 9 || undefined;
  });
});
