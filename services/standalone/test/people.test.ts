import { apiClient, until, webhookSink, type ApiClient } from "@heliograph/testkit";
import pg from "pg";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openSetting, type Setting } from "./setting.ts";

type Event = {
  readonly type: string;
  readonly sequence: number;
  readonly data: Record<string, unknown>;
};

/** What happens from a provider's callback to an agent's answer, and to the day when all of it is forgotten: as partners, agents and receivers see it. */
describe("somebody writes, and somebody answers", () => {
  let setting: Setting;
  let partner: ApiClient;
  beforeAll(async () => {
    setting = await openSetting({ HELIOGRAPH_RETRY_SCALE: "0.02" });
    partner = setting.sandbox;
  }, 90_000);

  let numbers = 0;
  const newPhone = (): string => `+1555${String(2_001_000 + ++numbers)}`;
  const write = async (from: string, text: string, more: object = {}): Promise<string> => {
    const answer = await partner.post("/sandbox/inbound", { channel: "sms", from, text, ...more });
    expect(answer.status).toBe(202);
    return answer.body.message_id as string;
  };
  const eventsOf = async (key: string, value: string): Promise<readonly Event[]> => {
    const { data } = (await partner.get("/events?limit=1000")).body as { data: readonly Event[] };
    return data.filter((event) => event.data[key] === value);
  };
  const received = (messageId: string): Promise<Record<string, unknown>> =>
    until(async () =>
      (await eventsOf("message_id", messageId)).find(({ type }) => type === "message.received"),
    ).then((event) => event!.data);

  it("tells a first message in order: contact, conversation, message", async () => {
    const from = newPhone();
    const data = await received(await write(from, "Where is my order?", { profile_name: "Zoë" }));
    expect(data).toMatchObject({ channel: "sms", from, text: "Where is my order?", media: [] });
    const types = (await eventsOf("contact_id", data["contact_id"] as string)).map(
      ({ type }) => type,
    );
    expect(types.slice(0, 3)).toEqual([
      "contact.created",
      "conversation.opened",
      "message.received",
    ]);
    const again = await received(await write(from, "Hello?"));
    expect(again).toMatchObject({
      contact_id: data["contact_id"],
      conversation_id: data["conversation_id"],
    });
    const matched = (await eventsOf("contact_id", data["contact_id"] as string)).filter(
      ({ type }) => type === "contact.matched",
    );
    expect(matched.map((event) => event.data)).toMatchObject([
      { external_id: { source: "sms", id: from }, conversation_id: data["conversation_id"] },
    ]);
    const contact = (await partner.get(`/contacts/by-external-id/sms/${encodeURIComponent(from)}`))
      .body;
    expect(contact).toMatchObject({ id: data["contact_id"], name: "Zoë" });
  });

  it("is one message however often the provider posts it, and one conversation however many write at once", async () => {
    const from = newPhone();
    const ids = await Promise.all(
      Array.from({ length: 8 }, () =>
        write(from, "twice?", { provider_message_id: `dup-${from}` }),
      ),
    );
    expect(new Set(ids).size).toBe(1);
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, index) => write(from, `n ${index}`)),
    );
    const all = await Promise.all([ids[0]!, ...others].map(received));
    expect(new Set(all.map((data) => data["conversation_id"])).size).toBe(1);
    expect(new Set(all.map((data) => data["contact_id"])).size).toBe(1);
    const conversation = (
      await partner.get(`/conversations/${all[0]!["conversation_id"] as string}`)
    ).body;
    expect(conversation).toMatchObject({ status: "open", unread: 9 });
  });

  it("lets an agent sign in on a phone, see it, answer it and close it", async () => {
    const from = newPhone();
    const { conversation_id: id } = await received(await write(from, "Is anybody there?"));
    const signedIn = await partner.post("/mobile/sessions", {
      ...setting.instance.agent,
      environment: "sandbox",
      device: { name: "phone", platform: "ios" },
    });
    expect(signedIn.status).toBe(201);
    const agent = apiClient(setting.instance.baseUrl, signedIn.body.access_token as string);
    const seen = await until(async () => {
      const { body } = await agent.get("/mobile/sync?after=0");
      return (body.conversations as { id: string }[]).find((each) => each.id === id) && body;
    });
    expect(seen.messages).toEqual(
      expect.arrayContaining([expect.objectContaining({ text: "Is anybody there?" })]),
    );
    const key = { "idempotency-key": `reply-${from}` };
    const reply = { text: "Yes. How can I help?" };
    const first = await agent.post(`/conversations/${id as string}/messages`, reply, key);
    const second = await agent.post(`/conversations/${id as string}/messages`, reply, key);
    expect(first.status).toBe(202);
    expect(second.body).toEqual(first.body);
    expect(first.body).toMatchObject({ conversation_id: id, to: from });
    const history = await until(async () => {
      const { body } = await partner.get(`/conversations/${id as string}/messages`);
      return (body.data as { status: string }[])[1]?.status === "delivered" && body.data;
    });
    expect(history).toMatchObject([
      { direction: "inbound", text: "Is anybody there?" },
      {
        direction: "outbound",
        text: "Yes. How can I help?",
        agent: { id: signedIn.body.agent.id },
      },
    ]);
    const conversation = (await partner.get(`/conversations/${id as string}`)).body;
    expect(conversation.assignee).toMatchObject({ id: signedIn.body.agent.id });
    expect((await agent.post(`/conversations/${id as string}/close`)).body).toMatchObject({
      status: "closed",
    });
  });

  it("stops what is sent after STOP", async () => {
    const from = newPhone();
    await received(await write(from, " Stop. "));
    const refused = await until(async () => {
      const answer = await partner.post("/messages", { channel: "sms", to: from, text: "Sale!" });
      return answer.status === 422 && answer;
    });
    expect(refused.body.code).toBe("recipient_suppressed");
    const { data } = (await partner.get(`/suppressions?to=${encodeURIComponent(from)}&active=true`))
      .body;
    expect(data).toMatchObject([{ channel: "sms", to: from, reason: "keyword" }]);
  });

  it("forgets a person everywhere", async () => {
    const sink = await webhookSink();
    onTestFinished(() => sink.close());
    await partner.post("/webhook-endpoints", {
      url: sink.url,
      event_types: ["message.received", "contact.erased"],
    });
    const from = newPhone();
    const secret = `Xylophone${from.slice(-4)}`;
    const data = await received(
      await write(from, `${secret} text`, { profile_name: `${secret} name` }),
    );
    const contact = data["contact_id"] as string;
    await partner.post(`/conversations/${data["conversation_id"] as string}/notes`, {
      text: `${secret} note`,
    });
    await partner.post(`/conversations/${data["conversation_id"] as string}/messages`, {
      text: `${secret} reply`,
    });
    const key = { "idempotency-key": `made-${from.slice(-4)}` };
    const patched = {
      external_ids: [{ source: "crm", id: `${secret}-crm` }],
      name: `${secret} other`,
    };
    await partner.post("/contacts", patched, key);
    await partner.post(`/contacts/${contact}/external-ids`, {
      source: "crm2",
      id: `${secret}-crm2`,
    });
    const other = (await partner.get(`/contacts/by-external-id/crm/${secret}-crm`)).body
      .id as string;
    await partner.post(`/contacts/${other}/merge`, { into: contact });
    expect((await partner.del(`/contacts/${contact}`)).status).toBe(202);
    const erasure = await until(async () => {
      const { body } = await partner.get(`/contacts/${contact}/erasure`);
      return body.key_destroyed_at && body;
    });
    expect(erasure.certificate.signature).toEqual(expect.any(String));
    expect((await partner.get(`/contacts/${contact}`)).status).toBe(410);
    const again = await partner.post("/contacts", patched, key);
    expect(again.text).not.toContain(secret);
    const feed = await until(async () => {
      const { text } = await partner.get("/events?limit=1000");
      return text.includes("contact.erased") && text;
    });
    expect(feed).not.toContain(secret);
    await until(async () => {
      const found = await tablesWith(setting.instance.databaseUrl, [secret, from]);
      if (found.length > 0) throw new Error(`still in ${found.join(", ")}`);
      return true;
    });
    const next = await received(await write(from, "me again"));
    expect(next["contact_id"]).not.toBe(contact);
  });
});

/** The tables of the sandbox whose rows, as text, hold one of these. */
async function tablesWith(
  databaseUrl: string,
  texts: readonly string[],
): Promise<readonly string[]> {
  const url = Object.assign(new URL(databaseUrl), { pathname: "/heliograph_sandbox" }).href;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')",
    );
    const found: string[] = [];
    for (const { name } of rows) {
      const hit = await client.query(
        `select 1 from ${name} t where strpos(t::text, $1) > 0 or strpos(t::text, $2) > 0 limit 1`,
        [...texts],
      );
      if (hit.rowCount === 1) found.push(name);
    }
    return found;
  } finally {
    await client.end();
  }
}
