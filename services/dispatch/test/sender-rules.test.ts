import { newId } from "@heliograph/contracts";
import { type FoldableEvent, foldMessage } from "@heliograph/domain";
import { meansOf } from "@heliograph/gateways";
import type { GatewayConfig } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { createJudge } from "../src/backtests/judge.ts";
import { noBucket } from "../src/bucket.ts";
import { choose } from "../src/choose.ts";
import { alternatives, routeOf, takenThere } from "../src/routing.ts";
import { requestOf, rule as routingRule } from "./backtests-scene.ts";
import { gateway } from "./candidates.ts";
import { loneConnections } from "./lone-connections.ts";

const of = (name: string, kind: string, settings: object) => ({
  ...gateway(name),
  config: { gateway_id: `gtw_${name}`, name, channel: "sms", kind, settings } as GatewayConfig,
});
const smpp = { host: "smsc", port: 2775, system_id: "us" };
const message = { channel: "sms", to: "+15551230001", partner: "ptn_a", country: "US" } as const;

test("a gateway whose sender the country does not take is passed over, says why, and never has the message", () => {
  const all = [
    of("named", "smpp", { ...smpp, source: { address: "SHOP" } }),
    of("numbered", "twilio", { account_sid: "AC1", from: "+15550100001" }),
    of("unknown", "twilio", { account_sid: "AC1", messaging_service_sid: "MG1" }),
    of("dumb", "log", {}),
  ];
  const routed = (rule: object, from?: string) => {
    const asked = { ...message, from };
    const rules = [{ country_prefix: "1", ...rule }];
    return takenThere(routeOf(new Map(), all, asked), asked, rules, meansOf);
  };
  const names = (rule: object, from?: string) =>
    routed(rule, from).candidates.map(({ name }) => name);
  expect(names({ alphanumeric: false })).toEqual(["numbered"]);
  expect(names({ alphanumeric: false }, "+15550100002")).toHaveLength(4);
  expect(names({ two_way: true }, "+15550100002")).toEqual(["named", "numbered", "unknown"]);
  expect(names({ alphanumeric: false }, "SHOP")).toEqual([]);
  expect(names({ country_prefix: "48", alphanumeric: false })).toHaveLength(4);
  expect(names({})).toHaveLength(4);
  const choice = choose(routed({ alphanumeric: false }), [], 0);
  const { considered } = choice.type === "chosen" ? choice.choice : {};
  expect(considered).toContainEqual({
    gateway: "named",
    verdict: "numbers of +1 take no names as senders",
    excluded: true,
  });
  const given = { reason: "", considered: considered! };
  expect(alternatives(all, given, "numbered")).toEqual([]);
});

test("no gateway may have a message only where none that is configured may, by the rules in force", () => {
  const connections = loneConnections({ now: () => 0, bucketOf: () => noBucket });
  const config = (name: string, enabled: boolean, settings: object): GatewayConfig => ({
    ...of(name, enabled ? "simulator" : "twilio", settings).config,
    environment: "sandbox",
    enabled,
    weight: 1,
    max_concurrent: 1,
    timeout_ms: 1_000,
    on_uncertain: "at_most_once",
  });
  const on = config("on", true, {});
  const off = config("off", false, { account_sid: "AC1", from: "+15550100001" });
  const asked = { ...message, from: undefined };
  const refusal = (
    gateways: readonly GatewayConfig[],
    routed: readonly GatewayConfig[] = [],
    rule: object = { alphanumeric: false },
  ) => {
    const routing = routed.map(({ gateway_id }) => ({
      match: {},
      gateways: [gateway_id],
      policy: "priority" as const,
      failover: true,
    }));
    connections.reconcile(gateways, routing, [{ country_prefix: "1", ...rule }]);
    return connections.senderRefusal(asked);
  };
  const none = "no gateway may send it to +1: on: numbers of +1 ask for a sender, and it has none";
  expect(refusal([on])).toBe(none);
  expect(refusal([on, off])).toBeUndefined();
  expect(connections.routeOf(asked).candidates).toEqual([]);
  expect(refusal([on, off], [on])).toBe(none);
  // A rule of gateways that are all switched off holds nevertheless: the message waits for them.
  expect(refusal([on, off], [off, on])).toBeUndefined();
  expect(refusal([on], [], { country_prefix: "48", alphanumeric: false })).toBeUndefined();
  expect(refusal([])).toBeUndefined();
});

test("a message that was counted with national tables goes without them once nobody sends them", () => {
  const asked = { ...message, from: undefined, national: { single: 1 } };
  const taken = (languages: readonly string[][], rule: object = { country_prefix: "48" }) => {
    const all = languages.map((national, index) =>
      of(`${index}`, "smpp", { ...smpp, ...(national.length > 0 && { national }) }),
    );
    const route = routeOf(new Map(), all, asked);
    const { candidates, excluded } = takenThere(route, asked, [rule as never], meansOf);
    return [candidates.map(({ name }) => name), excluded?.map(({ name }) => name)];
  };
  expect(taken([["turkish"], ["spanish"], []])).toEqual([["0"], ["1", "2"]]);
  expect(taken([["spanish"], []])).toEqual([["0", "1"], undefined]);
  // Which senders the country takes is held against all the same.
  expect(taken([["turkish"], []], { country_prefix: "1", alphanumeric: false })).toEqual([
    [],
    ["0", "1"],
  ]);
});

test("a backtest passes over gateways whose sender the country does not take, and says so", () => {
  const [named, numbered] = [
    of("named", "smpp", { ...smpp, source: { address: "SHOP" } }),
    of("numbered", "twilio", { account_sid: "AC1", from: "+15550100001" }),
  ].map(({ config }) => ({ ...config, enabled: true, weight: 1, means: meansOf(config) }));
  const gateways = [named!, numbered!];
  const id = newId("msg");
  const event: FoldableEvent = loosely({
    type: "MessageRequested",
    data: requestOf(id, "+15551230001", {}),
    metadata: { partner: "ptn_a" },
    position: 1n,
    revision: 0,
    recordedAt: 0,
  });
  const sent = { state: foldMessage([event])!, gateway: "numbered", failed: [] };
  const judged = (senders: readonly object[]) => {
    const rules = [routingRule(gateways.map(({ gateway_id }) => gateway_id))];
    const judge = createJudge(loosely({ rules, prices: undefined, gateways, senders }));
    return judge(sent, "+15551230001");
  };
  const numbersOnly = { country_prefix: "1", alphanumeric: false };
  expect(judged([])).toMatchObject({ after: { gateway: "named" } });
  expect(judged([numbersOnly])).toMatchObject({
    after: { gateway: "numbered" },
    choice: { considered: expect.arrayContaining([expect.objectContaining({ gateway: "named" })]) },
  });
  expect(judged([{ ...numbersOnly, registered: ["+15550109999"] }])).toMatchObject({
    after: { gateway: null, charge: 0n },
  });
  // One that failed and whose price was kept costs it, at the price of the list that is tried.
  const entries = [{ channel: "sms", prefix: "", per_segment: "0.02" }];
  const tried = createJudge(
    loosely({ rules: undefined, gateways, prices: { currency: "USD", entries } }),
  );
  const failed = { ...sent.state, status: "failed", charge: sent.state.request.cost } as const;
  for (const [state, before, after] of [
    [failed, 20_000n, 40_000n],
    [{ ...failed, charge: "0.01" }, 10_000n, 10_000n],
    [{ ...failed, charge: undefined }, 0n, 0n],
  ] as const)
    expect(tried({ ...sent, state }, "+15551230001")).toMatchObject({
      before: { charge: before },
      after: { charge: after },
    });
});
