import { expect, test } from "vitest";
import { createGateway, paced, throughFault, type Attempt, type SendResult } from "../src/index.ts";
import { fcmMessage } from "../src/fcm/content.ts";
import { telegramCall } from "../src/telegram/content.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const via = configOf({ name: "bot", environment: "live", channel: "telegram", kind: "telegram" });
const config = configOf({
  gateway_id: "gtw_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
  name: "news",
  environment: "live",
  channel: "broadcast",
  kind: "broadcast",
  settings: { via: via.gateway_id, per_second: 2 },
});

test("a message to a list is one call of the gateway that it goes through, told that it is for a list", async () => {
  const seen: [string, Attempt][] = [];
  const answer: SendResult = { type: "accepted", providerMessageId: "7", status: "sent" };
  const carrier = (id: string) => ({
    async send(attempt: Attempt) {
      seen.push([id, attempt]);
      return answer;
    },
  });
  const gateway = createGateway("live", config, toolsOf({ carrier }));
  const attempt = attemptOf("spring_news", { channel: "broadcast" });
  expect(await gateway.send(attempt, never)).toBe(answer);
  expect(seen).toEqual([[via.gateway_id, { ...attempt, toList: true }]]);
});

test("where that one is not there nothing was sent, and the message may wait", async () => {
  const gateway = createGateway("live", config, toolsOf({ carrier: () => undefined }));
  expect(await gateway.send(attemptOf("spring_news"), never)).toMatchObject({
    type: "unavailable",
    error: { code: "gateway_unreachable", permanent: false, provider: { name: "news" } },
  });
  await expect(gateway.check?.(never)).rejects.toThrow(/disabled or gone/);
});

test("a list is a topic of FCM, smaller than a message to a device, and a public channel of Telegram", () => {
  const toList = attemptOf("spring_news", { toList: true });
  expect(telegramCall(toList)).toMatchObject({ parameters: { chat_id: "@spring_news" } });
  expect(fcmMessage(toList, 0)).toMatchObject({ topic: "spring_news" });
  expect(fcmMessage(toList, 0)).not.toHaveProperty("token");
  // It may look like a token of APNs, and is none.
  expect(fcmMessage({ ...toList, to: "a".repeat(64) }, 0)).toHaveProperty("topic");
  const long = { ...toList, content: { text: "x".repeat(2_040) } };
  expect(fcmMessage(long, 0)).toMatchObject({ reason: "content_rejected" });
  const { content } = long;
  expect(fcmMessage(attemptOf("a-token-of-a-device", { content }), 0)).toHaveProperty("token");
});

test("it goes as fast as the slower of its two rates", () => {
  expect(paced(config).max_per_second).toBe(2);
  expect(paced({ ...config, max_per_second: 1 }).max_per_second).toBe(1);
  expect(paced({ ...config, max_per_second: 9 }).max_per_second).toBe(2);
  expect(paced(via)).toBe(via);
});

test("what it goes through has to be there, keep lists, be enabled and be everybody's or the same partner's", () => {
  const fault = (changes: object, own: object = {}): string | undefined =>
    throughFault({ ...config, ...own }, [{ ...via, ...changes }]);
  expect(fault({})).toBeUndefined();
  expect(fault({ partner_id: "ptn_a" }, { partner_id: "ptn_a" })).toBeUndefined();
  expect(throughFault(config, [])).toMatch(/no such gateway/);
  expect(fault({ environment: "sandbox" })).toMatch(/no such gateway in live/);
  expect(fault({ kind: "smtp" })).toMatch(/kind smtp.*telegram, fcm, http/);
  // It goes through no other of its own kind, nor through itself.
  expect(fault({ kind: "broadcast" })).toMatch(/keep no lists/);
  expect(fault({ enabled: false })).toMatch(/disabled/);
  expect(fault({ partner_id: "ptn_a" })).toMatch(/another partner/);
  expect(throughFault(via, [])).toBeUndefined();
});
