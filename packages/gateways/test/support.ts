import { deterministicId } from "@heliograph/contracts";
import type { Attempt, GatewayConfig, GatewayTools } from "../src/index.ts";

export const configOf = (changes: Partial<GatewayConfig> = {}): GatewayConfig => ({
  gateway_id: deterministicId("gtw", "test"),
  environment: "sandbox",
  name: "one",
  channel: "sms",
  kind: "simulator",
  enabled: true,
  weight: 1,
  max_concurrent: 4,
  timeout_ms: 2_000,
  on_uncertain: "ask_provider",
  settings: {},
  ...changes,
});

export const toolsOf = (changes: Partial<GatewayTools> = {}): GatewayTools => ({
  logger: { info: () => undefined },
  masterKey: Buffer.alloc(32, 7),
  declaring: { smtpUrls: [], logGatewayChannels: [] },
  onReceipt: async () => undefined,
  origin: "https://api.example.com",
  ...changes,
});

/** Whose own signatures are looked for in a callback: that of any gateway will do for a provider that gives none back. */
export const signer = { gatewayId: configOf().gateway_id, masterKey: toolsOf().masterKey };

export const attemptOf = (to: string, changes: Partial<Attempt> = {}): Attempt => {
  const messageId = deterministicId("msg", to);
  const attempt = changes.attempt ?? 1;
  return {
    attemptId: deterministicId("atp", messageId, String(attempt)),
    messageId,
    attempt,
    channel: to.includes("@") ? "email" : "sms",
    to,
    content: { text: "Hello" },
    partner: "ptn_one",
    ...changes,
  };
};
