import { newId, type EventData } from "@heliograph/contracts";

/** What messages of the past tell, as backtests read it. */
export const requestOf = (id: string, to: string, more: object): EventData<"MessageRequested"> => ({
  message_id: id,
  channel: "sms",
  to,
  content: { text: "Hello" },
  category: "transactional",
  priority: 1,
  expires_at: "2099-01-01T00:00:00.000Z",
  cost: "0.02",
  currency: "USD",
  price: {
    list: "standard",
    version: 1,
    country: to.startsWith("+48") ? "PL" : "US",
    per_segment: "0.01",
  },
  segments: { count: 2, encoding: "GSM-7", characters: 200 },
  created_at: new Date().toISOString(),
  ...more,
});

const attempt = { attempt: 1, attempt_id: newId("atp"), choice: { reason: "the first" } };
export const sentBy = (gateway: string, step = 0) =>
  [
    "MessageSent",
    {
      ...attempt,
      ...(step > 0 && { step, settles: false }),
      gateway,
      gateway_kind: "simulator",
      provider: { name: gateway, message_id: "p1", status: "ok" },
      cost: "0.02",
      currency: "USD",
    },
  ] as const;
export const failedBy = (gateway: string) =>
  [
    "DispatchAttemptFailed",
    {
      ...attempt,
      gateway,
      error: { code: "x", class: "provider", permanent: false },
      next: "failover",
      reason: "another",
    },
  ] as const;

export const rule = (gateways: readonly string[], more: object = {}) => ({
  match: {},
  policy: "priority",
  gateways,
  failover: true,
  ...more,
});
export const window = () => ({
  from: new Date(Date.now() - 3_600_000).toISOString(),
  to: new Date().toISOString(),
});
