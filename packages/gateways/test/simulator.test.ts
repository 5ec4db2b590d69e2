import { afterEach, expect, test, vi } from "vitest";
import { createGateway, playedReceipts, type Receipt } from "../src/index.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const gateway = createGateway("sandbox", configOf(), toolsOf());
const send = (to: string, attempt = 1) => gateway.send(attemptOf(to, { attempt }), never);
afterEach(() => void vi.useRealTimers());

test("an accepted attempt has the same provider id however often it is sent", async () => {
  const first = await send("+15550000001");
  expect(first).toEqual({
    type: "accepted",
    providerMessageId: `sim_${attemptOf("+15550000001").attemptId.slice(4)}`,
    status: "accepted",
  });
  expect(await send("+15550000001")).toEqual(first);
});

test("flaky is decided by the attempt number alone", async () => {
  expect((await send("+15550000004", 1)).type).toBe("rejected");
  expect((await send("+15550000004", 2)).type).toBe("rejected");
  expect((await send("+15550000004", 3)).type).toBe("accepted");
  expect(await send("+15550000005", 6)).toMatchObject({
    type: "rejected",
    error: { permanent: false },
  });
  expect(await send("+15550000003")).toMatchObject({
    type: "rejected",
    error: { permanent: true, class: "recipient" },
  });
});

test("nobody takes an expired one, which is no attempt and need not be offered again", async () => {
  for (const to of ["+15550000013", "expired@example.com"])
    expect(await send(to)).toMatchObject({
      type: "unavailable",
      retryAfterMs: Number.POSITIVE_INFINITY,
    });
});

test("an attempt whose answer was lost is found by a look-up, another is not", async () => {
  expect(await send("+15550000012")).toEqual({ type: "uncertain", cause: "timeout" });
  const { attemptId } = attemptOf("+15550000012");
  expect(await gateway.lookup!(attemptId, never)).toMatchObject({
    type: "accepted",
    providerMessageId: `sim_${attemptId.slice(4)}`,
  });
  expect(await gateway.lookup!(attemptOf("+15550000001").attemptId, never)).toBe("unknown");
});

test("slow answers after 5 s, and is uncertain when the caller gives up before", async () => {
  vi.useFakeTimers();
  const answer = send("+15550000008");
  await vi.advanceTimersByTimeAsync(4_999);
  await vi.advanceTimersByTimeAsync(1);
  expect((await answer).type).toBe("accepted");
  const caller = new AbortController();
  const given = gateway.send(attemptOf("+15550000008", { attempt: 2 }), caller.signal);
  caller.abort();
  expect(await given).toEqual({ type: "uncertain", cause: "timeout" });
  expect(
    await gateway.lookup!(attemptOf("+15550000008", { attempt: 2 }).attemptId, never),
  ).toMatchObject({ type: "accepted" });
});

const sentTo = (to: string, attempt = 1, kind = "simulator") => ({
  message_id: attemptOf(to).messageId,
  message: { channel: to.includes("@") ? ("email" as const) : ("sms" as const), to },
  attempt,
  attempt_id: attemptOf(to, { attempt }).attemptId,
  gateway: "one",
  gateway_kind: kind,
  provider: { name: "one", message_id: "sim_x", status: "accepted" },
});
const statuses = (to: string, attempt = 1, kind = "simulator") =>
  playedReceipts(sentTo(to, attempt, kind), 0).map(({ receipt }) => receipt.status);

test("each outcome has its receipts, between 30 and 210 ms later, the same at every call", () => {
  expect(statuses("+15550000001")).toEqual(["delivered"]);
  expect(statuses("+15550000002")).toEqual([]);
  expect(statuses("+15550000006")).toEqual(["undelivered"]);
  expect(statuses("bounced@example.com")).toEqual(["bounced"]);
  expect(statuses("soft-bounced@example.com")).toEqual(["deferred"]);
  expect(statuses("soft-bounced@example.com", 2)).toEqual(["delivered"]);
  expect(statuses("+15550000010")).toEqual(["delivered", "undelivered"]);
  expect(statuses("+15550000014")).toEqual(["delivered", "read"]);
  expect(statuses("+15550000015")).toEqual(["delivered", "complained"]);
  expect(statuses("Complained+7@example.com")).toEqual(["delivered", "complained"]);
  expect(statuses("+15550000003", 1, "log")).toEqual(["delivered"]);
  expect(
    playedReceipts({ ...sentTo("+15550000001"), message: { channel: "broadcast", to: "news" } }, 0),
  ).toEqual([]);
  for (let index = 0; index < 200; index++) {
    const receipts = playedReceipts(sentTo(`+1555${index}0010`), 1_000);
    expect(playedReceipts(sentTo(`+1555${index}0010`), 1_000)).toEqual(receipts);
    for (const { delayMs, receipt } of receipts) {
      expect(delayMs).toBeGreaterThanOrEqual(30);
      expect(delayMs).toBeLessThan(210);
      expect(Date.parse(receipt.occurred_at)).toBe(1_000 + delayMs);
    }
  }
});

test("of duplicate receipts one overtakes the answer, and the others repeat it", async () => {
  const early: Receipt[] = [];
  const noisy = createGateway(
    "sandbox",
    configOf(),
    toolsOf({ onReceipt: async (receipt) => void early.push(receipt) }),
  );
  await noisy.send(attemptOf("+15550000009"), never);
  const later = playedReceipts(sentTo("+15550000009"), 0).map(({ receipt }) => receipt);
  expect(later.map(({ status }) => status)).toEqual(["delivered", "sent", "delivered"]);
  expect(new Set([...early, ...later].map(({ provider_event_id }) => provider_event_id)).size).toBe(
    2,
  );
});
