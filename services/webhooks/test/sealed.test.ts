import { newId, streamOf } from "@heliograph/contracts";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let sink: WebhookSink;
beforeAll(async () => {
  h = await openHarness({ retryScale: 0.001 });
  await h.start();
  sink = await webhookSink();
});
afterAll(async () => {
  await sink.close();
  await h.close();
});

test("texts of persons are open in what is sent and signed, sealed in what is stored, and erased in the next attempt and every replay after the erasure", async () => {
  const endpoint = await h.endpoint(sink.url);
  const contact = newId("cnt");
  const other = newId("cnt");
  const { vault } = h.context;
  const [seal, sealOther] = await vault.seals([
    { partner: h.partner, subject: contact },
    { partner: h.partner, subject: other },
  ]);
  sink.queue({ type: "answer", status: 500 });
  await h.append(streamOf("contact", contact), "ContactCreated", {
    contact_id: contact,
    external_ids: [
      { source: "sms", id: seal!("+15551234567"), name: "a" },
      { source: "crm", id: sealOther!("C-1"), name: "b" },
    ],
    name: seal!('Zoë "Z"'),
    profile: seal!("{}"),
    made_by: "api",
    created_at: new Date().toISOString(),
  });
  const [delivery] = await h.settled(endpoint.id, "delivered");
  const stored = await h.pool.query("select d::text as row from webhooks.deliveries d");
  expect(JSON.stringify(stored.rows)).not.toContain("+15551234567");
  await vault.destroy(h.partner, [contact]);
  await h.endpointEvent(
    endpoint.id,
    "WebhookRetryRequested",
    { delivery_id: delivery!.id },
    { correlation: newId("rpl") },
  );
  await until(() => sink.requests.length === 3);
  const seen = sink.requests.map((request) => {
    new Webhook(endpoint.secret).verify(request.body, request.headers as Record<string, string>);
    const { data } = JSON.parse(request.body);
    return [data.name, ...data.external_ids.map(({ id }: { id: string }) => id)];
  });
  const open = ['Zoë "Z"', "+15551234567", "C-1"];
  expect(seen).toEqual([open, open, ["[erased]", "[erased]", "C-1"]]);
});
