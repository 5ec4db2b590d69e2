import { apiClient, until, type ApiClient } from "@heliograph/testkit";
import { beforeAll, describe, expect, it } from "vitest";
import { example, openSetting, reached, send, type Setting } from "./setting.ts";

const sms = { channel: "sms", to: "+15551230001", text: "Hello" };

describe("partners", () => {
  let setting: Setting;
  beforeAll(async () => {
    setting = await openSetting();
  }, 60_000);

  async function newPartner(name: string): Promise<ApiClient> {
    const made = await setting.admin.post("/admin/partners", { name });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ id: expect.stringMatching(/^ptn_/), name });
    return apiClient(setting.instance.baseUrl, made.body.keys.sandbox);
  }

  it("has exactly 50 of 100 parallel sends accepted on funds for 50", async () => {
    const partner = await newPartner("Funds for fifty");
    const cost = (await setting.sandbox.post("/messages?dry_run=true", sms)).body.cost_estimate;
    const topup = await partner.post("/wallet/topups", { amount: (Number(cost) * 50).toFixed(6) });
    expect(topup.status).toBe(201);
    await until(async () => Number((await partner.get("/balance")).body.available) > 0);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => partner.post("/messages", sms)),
    );
    const statuses = answers.map(({ status }) => status).toSorted((left, right) => left - right);
    expect(statuses).toEqual([...Array(50).fill(202), ...Array(50).fill(402)]);
    for (const { status, body } of answers)
      if (status === 402) expect(body.code).toBe("insufficient_funds");
    for (const { status, body } of answers)
      if (status === 202) await reached(partner, body.id, "delivered");
    await until(async () => (await partner.get("/balance")).body.held === "0");
    expect((await partner.get("/balance")).body).toMatchObject({
      available: "0",
      held: "0",
      currency: "USD",
    });
    expect((await partner.get("/wallet/proof")).body.matches).toBe(true);
  });

  it("cannot tell another partner's ids from ids that do not exist", async () => {
    const stranger = await newPartner("Stranger");
    const { sandbox, live } = setting;
    const id = await send(sandbox, example);
    const endpoint = (await sandbox.post("/webhook-endpoints", { url: "http://127.0.0.1:9/" })).body
      .id;
    for (const path of [
      `/messages/${id}`,
      `/messages/${id}/timeline`,
      `/webhook-endpoints/${endpoint}`,
    ]) {
      expect((await sandbox.get(path)).status).toBe(200);
      for (const other of [stranger, live]) {
        const answer = await other.get(path);
        expect([answer.status, answer.body.code]).toEqual([404, "not_found"]);
      }
    }
    expect((await stranger.post(`/messages/${id}/cancel`)).status).toBe(404);
    expect((await stranger.get("/events?after=0")).body.data).toEqual([]);
    // The template belongs to the demo partner too.
    expect((await stranger.post("/messages", example)).body.code).toBe("template_not_found");
  });
});
