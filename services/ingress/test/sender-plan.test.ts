import type { SenderPool, SenderRule } from "@heliograph/domain";
import { loosely } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { planSender } from "@heliograph/acceptance";

const to = { to: "+15551230001", country: "US" };
type Gateway = Parameters<typeof planSender>[0]["gateways"][number];
const twilio = (from: string, enabled: boolean): Gateway =>
  loosely({
    gateway_id: `gtw_${from}`,
    kind: "twilio",
    enabled,
    settings: { account_sid: "AC1", from },
  });
const setting = { pools: [], rules: [], gateways: [], partner: "ptn_a" };

test("The list of a rule is read once, however many senders and messages are held against it", () => {
  let reads = 0;
  const senders = Array.from({ length: 1_000 }, (_, index) => `+1555010${1_000 + index}`);
  const counting: ProxyHandler<string[]> = {
    get(target, key) {
      reads++;
      return Reflect.get(target, key);
    },
  };
  const rule: SenderRule = { country_prefix: "1", registered: new Proxy(senders, counting) };
  const pool: SenderPool = loosely({
    pool_id: "spl_1",
    name: "many",
    channel: "sms",
    senders: new Proxy(senders.slice(900), counting),
  });
  const asked = { channel: "sms", sender_pool: "many" } as const;
  const plan = () => planSender({ ...setting, pools: [pool], rules: [rule] }, asked, to);
  const first = plan();
  expect(first).toMatchObject({ type: "pool", usable: senders.slice(900) });
  reads = 0;
  for (let index = 0; index < 100; index++) expect(plan()).toEqual(first);
  expect(reads).toBe(0);
  // The pool's own senders, against a rule that is new, are held against a list that is read once.
  const other: SenderRule = { ...rule, country_prefix: "15" };
  planSender({ ...setting, pools: [pool], rules: [other] }, asked, to);
  expect(reads).toBeLessThan(10 * senders.length);
});

test("A message is refused for its sender only where no gateway could send it, one that is switched off included", () => {
  const rules: SenderRule[] = [{ country_prefix: "1", alphanumeric: false }];
  const plan = (...gateways: Gateway[]) =>
    planSender({ ...setting, rules, gateways }, { channel: "sms" }, to);
  const named = twilio("SHOP", true);
  expect(() => plan(named)).toThrow("take no names");
  expect(plan(named, twilio("+15550100001", false))).toEqual({ type: "sender", fields: {} });
});

test("Of the rules that fit a number the one of the longest prefix counts", () => {
  const rules: SenderRule[] = ["1555", "1", "1555123", "48"].map((country_prefix) => ({
    country_prefix,
    default: `+${country_prefix}`,
  }));
  const from = (address: string) => {
    const plan = planSender({ ...setting, rules }, { channel: "sms" }, { ...to, to: address });
    return plan.type === "sender" ? plan.fields.from : plan;
  };
  const numbers = ["+15551230001", "+15559990001", "+12025550123", "+48500600700", "+447911123456"];
  expect(numbers.map(from)).toEqual(["+1555123", "+1555", "+1", "+48", undefined]);
});
