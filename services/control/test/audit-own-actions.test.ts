import { randomUUID } from "node:crypto";
import { type Category as StreamCategory, newId, streamOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { openAudited } from "./audited.ts";

type Row = { readonly actor: string; readonly action: string; readonly target: string };

const { world, admin, find, rows } = await openAudited();

test("what the platform did by itself is read from the log, by its actor, action and target", async () => {
  const { id, key } = await world.addPartner();
  const other = await world.addPartner();
  const { log } = world.platform.contexts.sandbox;
  const at = new Date().toISOString();
  const ids = {
    key: newId("key"),
    message: newId("msg"),
    endpoint: newId("whe"),
    suppression: newId("sup"),
    byHand: newId("sup"),
    evaluation: newId("evl"),
  };
  const money = { covers: "1", available: "0", held: "0", currency: "EUR" };
  const period = (suppression_id: string, reason: "keyword" | "manual") => ({
    suppression_id,
    name: `name${id.slice(4)}`,
    channel: "sms",
    to: "sealed",
    applies_to: "all",
    reason,
    evidence: { text: "Sentinel" },
    started_at: at,
    active: [],
  });
  const evaluation = { evaluation_id: ids.evaluation };
  const contact = { name: "Ann", email: "ann@example.org" };
  const append = async (
    to: EventLog,
    stream: string,
    actor: string,
    type: string,
    data: object,
  ) => {
    const event = { id: randomUUID(), type, data, metadata: { partner: id, actor } };
    const [outcome] = await to.append([{ stream, expected: "any", events: [event] }]);
    expect(outcome, type).toMatchObject({ kind: "appended" });
  };
  const told: readonly (readonly [StreamCategory, string, string, string, object])[] = [
    [
      "key",
      ids.key,
      "service:control",
      "KeyExpiring",
      {
        key_id: ids.key,
        name: "Sentinel",
        prefix: "ak_test_1234",
        expires_at: at,
        notice_days: 7,
        at,
      },
    ],
    [
      "hold",
      ids.message,
      "service:wallet",
      "HoldLapsed",
      { message_id: ids.message, currency: "EUR" },
    ],
    [
      "wallet",
      id,
      "service:wallet",
      "FundsExpired",
      { ...money, entries: [{ message_id: ids.message, amount: "1" }] },
    ],
    ["wallet", id, "service:wallet", "BalanceLow", { ...money, threshold: "5" }],
    [
      "endpoint",
      ids.endpoint,
      "service:webhooks",
      "WebhookEndpointDisabled",
      { endpoint_id: ids.endpoint, url: "https://a.example/Sentinel", reason: "gone" },
    ],
    [
      "suppression",
      ids.suppression,
      "service:suppressions",
      "SuppressionPlaced",
      { suppression_id: ids.suppression, name: `name${id.slice(4)}` },
    ],
    [
      "suppression",
      `name${id.slice(4)}`,
      "service:suppressions",
      "SuppressionStarted",
      period(ids.suppression, "keyword"),
    ],
    [
      "suppression",
      `name${id.slice(4)}`,
      "key_somebody",
      "SuppressionStarted",
      period(ids.byHand, "manual"),
    ],
    [
      "suppression",
      `name${id.slice(4)}`,
      "service:suppressions",
      "SuppressionEnded",
      {
        suppression_id: ids.suppression,
        name: "n",
        channel: "sms",
        reason: "keyword",
        evidence: {},
        ended_at: at,
        active: [],
      },
    ],
  ];
  for (const [category, of, actor, type, data] of told)
    await append(log, streamOf(category, of), actor, type, data);
  const stream = streamOf("evaluation", ids.evaluation);
  const { platformLog } = world.platform;
  const assigned = { ...evaluation, contact, assigned_at: at };
  await append(platformLog, stream, "service:evaluations", "EvaluationAssigned", {
    ...assigned,
    by: "rota",
  });
  await append(platformLog, stream, "agt_1", "EvaluationAssigned", { ...assigned, by: "person" });
  await append(platformLog, stream, "service:evaluations", "EvaluationReminded", {
    ...evaluation,
    reminder: "half",
    reminded_at: at,
  });

  const own = await rows(7, "", key, "/audit");
  expect(own.map(({ actor, action, target }: Row) => `${actor} ${action} ${target}`)).toEqual([
    `service:suppressions SuppressionEnded /api/v1/suppressions/${ids.suppression}`,
    `service:suppressions SuppressionStarted /api/v1/suppressions/${ids.suppression}`,
    `service:webhooks WebhookEndpointDisabled /api/v1/webhook-endpoints/${ids.endpoint}`,
    "service:wallet BalanceLow /api/v1/wallet",
    "service:wallet FundsExpired /api/v1/wallet",
    `service:wallet HoldLapsed /api/v1/messages/${ids.message}`,
    `service:control KeyExpiring /api/v1/keys/${ids.key}`,
  ]);
  expect(JSON.stringify(own)).not.toContain("Sentinel");
  expect(own.at(-1)).toMatchObject({
    partner: id,
    outcome: 200,
    ip: "",
    changes: { after: { notice_days: 7 } },
  });
  const counts = async (query: string, of = key, path = "/audit") =>
    (await find(query, of, path)).data.length;
  expect(await counts("actor=service:wallet")).toBe(3);
  expect(await counts("action=BalanceLow")).toBe(1);
  expect(await counts("target=/api/v1/wallet")).toBe(2);
  expect(await counts(`target=${ids.message}`)).toBe(1);
  expect(await counts(`target=${ids.suppression}`)).toBe(2);
  expect(await counts(`target=${ids.byHand}`)).toBe(0);
  expect(await counts(`target=/api/v1/keys/${ids.key}`)).toBe(1);
  expect(await counts(`target=${ids.endpoint}`, other.key)).toBe(0);
  // A page goes on where it ended, and back.
  const first = await find(`target=${ids.suppression}&limit=1`, key, "/audit");
  const second = await find(
    `target=${ids.suppression}&limit=1&after=${first.next_cursor}`,
    key,
    "/audit",
  );
  expect(second.data).toMatchObject([{ action: "SuppressionStarted" }]);
  const back = await find(
    `target=${ids.suppression}&limit=1&before=${second.prev_cursor}`,
    key,
    "/audit",
  );
  expect(back.data).toEqual(first.data);
  // What is of no environment stands with live, once.
  const team = await find(`target=${ids.evaluation}`);
  expect(team.data.map(({ action }: Row) => action)).toEqual([
    "EvaluationReminded",
    "EvaluationAssigned",
  ]);
  expect(await counts(`target=${ids.evaluation}&environment=sandbox`, admin, "/admin/audit")).toBe(
    0,
  );
});
