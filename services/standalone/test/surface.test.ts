import { apiClient, until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSetting, reached, send, type Setting } from "./setting.ts";

const sms = { channel: "sms", to: "+15551230001", text: "Hello" };

describe("the surface around messages", () => {
  let setting: Setting;
  let sink: WebhookSink;
  beforeAll(async () => {
    setting = await openSetting();
    sink = await webhookSink();
  }, 60_000);
  afterAll(() => sink.close());

  it("shows each delivery of a webhook, tries one again and replays a window", async () => {
    const { sandbox } = setting;
    const types = ["message.delivered"];
    const made = await sandbox.post("/webhook-endpoints", { url: sink.url, event_types: types });
    const path = `/webhook-endpoints/${made.body.id}`;
    const deliveries = async () => (await sandbox.get(`${path}/deliveries`)).body.data;

    sink.behave({ type: "answer", status: 500 });
    const test = await sandbox.post(`${path}/test`, {});
    const failing = await until(async () => {
      const [delivery] = await deliveries();
      return delivery?.attempts.length > 0 && delivery;
    });
    expect(failing).toMatchObject({ id: test.body.delivery_id, status: "pending" });
    expect(failing.attempts[0]).toMatchObject({ status_code: 500 });
    sink.behave({ type: "answer" });
    expect((await sandbox.post(`/webhook-deliveries/${failing.id}/retry`)).status).toBe(202);
    await until(async () => (await deliveries())[0].status === "delivered");

    const ids = await Promise.all([1, 2, 3].map(() => send(sandbox, sms)));
    await until(async () => (await deliveries()).length === 4);
    await until(async () =>
      (await deliveries()).every(({ status }: Row) => status === "delivered"),
    );
    const before = sink.requests.length;
    // What was delivered is sent again only where it is asked for.
    expect((await sandbox.post(`${path}/replay`, { types })).body.matched).toBe(0);
    const replay = await sandbox.post(`${path}/replay`, { types, statuses: ["delivered"] });
    expect(replay.body.matched).toBe(3);
    const done = await until(async () => {
      const { body } = await sandbox.get(`${path}/replay/${replay.body.id}`);
      return body.status === "done" && body;
    });
    expect(done).toMatchObject({ attempted: 3, delivered: 3, failed: 0 });
    const again = sink.requests.slice(before).map(({ body }) => JSON.parse(body).data.message_id);
    expect(new Set(again)).toEqual(new Set(ids));
    expect(again).toHaveLength(3);
    expect((await sandbox.del(path)).status).toBe(204);
  }, 60_000);

  it("sends a template in the version that is newest when it is accepted", async () => {
    const { sandbox } = setting;
    const body = (text: string) => ({
      languages: { en: { text } },
      variables: { name: { type: "string" } },
    });
    await sandbox.post("/templates", { slug: "hi", channel: "sms", ...body("Hi {{name}}") });
    const message = { channel: "sms", to: sms.to, template: "hi", variables: { name: "Ada" } };
    await reached(sandbox, await send(sandbox, message), "delivered");
    const added = await sandbox.post("/templates/hi/versions", body("Hello {{name}}"));
    expect(added.body.version).toBe(2);
    await reached(sandbox, await send(sandbox, message), "delivered");
    const list = (await sandbox.get("/templates")).body.data;
    expect(list.map(({ slug }: { slug: string }) => slug)).toEqual(["hi", "order_confirmation"]);
  }, 60_000);

  it("books a top-up before it is answered and proves the wallet at any position", async () => {
    const { admin } = setting;
    const made = await admin.post("/admin/partners", { name: "Fresh" });
    const partner = apiClient(setting.instance.baseUrl, made.body.keys.sandbox);
    const topup = await partner.post("/wallet/topups", { amount: "1" });
    expect([topup.status, topup.body.available]).toEqual([201, "1"]);
    const funded = (await partner.get("/balance")).body.as_of_position;
    await reached(partner, await send(partner, sms), "delivered");
    await until(async () => (await partner.get("/balance")).body.held === "0");
    const kinds = (await partner.get("/wallet/transactions")).body.data.map(
      ({ kind }: Kind) => kind,
    );
    expect(kinds).toEqual(["capture", "hold", "topup"]);
    const now = (await partner.get("/wallet/proof")).body;
    expect(now).toMatchObject({ matches: true, holds_open: 0, entries: 6 });
    const then = (await partner.get(`/wallet/proof?at=${funded}`)).body;
    expect(then).toMatchObject({ matches: true, balance: "1", entries: 2 });
    const live = await admin.post("/wallet/topups", { amount: "2", partner_id: made.body.id });
    expect([live.status, live.body.available]).toEqual([201, "2"]);
  }, 60_000);

  it("refuses a revoked key everywhere, also where it is waiting", async () => {
    const { sandbox, instance } = setting;
    const issued = await sandbox.post("/keys", { name: "short-lived" });
    const short = apiClient(instance.baseUrl, issued.body.key);
    const { next_after: after } = (await short.get("/events?limit=1000")).body;
    const waiting = short.get(`/events?after=${after}&wait=20`);
    expect((await sandbox.del(`/keys/${issued.body.id}`)).status).toBe(204);
    expect((await short.get("/balance")).body.code).toBe("key_revoked");
    expect((await waiting).body.code).toBe("key_revoked");
  }, 60_000);

  it("rebuilds and verifies every projection while it serves", async () => {
    const { admin, sandbox } = setting;
    const projections = (await admin.get("/admin/projections")).body.data as Projection[];
    const own = projections.filter(
      ({ kind, environment }) => kind === "projector" && environment === "sandbox",
    );
    expect(own.map(({ name }) => name)).toEqual([
      "contact-activity",
      "contact-senders",
      "contacts",
      "conversations",
      "lifecycle",
      "messages",
      "mobile",
      "suppressions",
      "teams",
      "templates",
      "usage",
      "wallet",
    ]);
    for (const { name } of own)
      for (const verify_only of [false, true]) {
        const path = `/admin/projections/${name}/rebuild`;
        const asked = await admin.post(path, { environment: "sandbox", verify_only });
        const job = await until(
          async () => {
            const { body } = await admin.get(`${path}/${asked.body.id}`);
            return ["done", "failed"].includes(body.status) && body;
          },
          { timeoutMs: 20_000, what: `${name} is rebuilt` },
        );
        expect(job).toMatchObject({ status: "done", error: null });
        if (verify_only) expect(job.result).toMatchObject({ equal: true });
      }
    await reached(sandbox, await send(sandbox, sms), "delivered");
    expect((await admin.get("/admin/dead-letters")).body.data).toEqual([]);
    const audit = (await admin.get("/admin/audit?action=DELETE%20/keys/:id")).body.data;
    expect(audit[0]).toMatchObject({ outcome: 204, environment: "sandbox" });
  }, 120_000);
});

type Row = { readonly status: string };
type Kind = { readonly kind: string };
type Projection = { readonly name: string; readonly kind: string; readonly environment: string };
