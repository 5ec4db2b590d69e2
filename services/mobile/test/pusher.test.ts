import tls from "node:tls";
import { deterministicId, sealSecret } from "@heliograph/contracts";
import type { GatewayConfig } from "@heliograph/gateways";
import { newLogger, type ReactorTools } from "@heliograph/runtime";
import { apnsDouble, until } from "@heliograph/testkit";
import { expect, it } from "vitest";
import { openPusher } from "../src/push/pusher.ts";
import type { Pushes, TakenPush } from "../src/tables/pushes.ts";

const partner = "ptn_A";
const masterKey = Buffer.alloc(32, 7);

const takenOf = (number: number): TakenPush => ({
  id: `00000000-0000-4000-8000-00000000000${number}`,
  partner,
  agent_id: "agt_A",
  device_id: `dev_${number}`,
  session_id: null,
  token: String(number).repeat(64),
  conversation_id: "cnv_A",
  kind: "assigned",
  tries: 1,
  expired: false,
});

it("pushes that begin at once after a start share one session of the provider", async () => {
  const double = await apnsDouble();
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), double.certificate]);
  const { url: base_url, teamId: team_id, keyId: key_id, topic } = double;
  const config: GatewayConfig = {
    gateway_id: deterministicId("gtw", "push"),
    environment: "live",
    name: "apns",
    channel: "push",
    kind: "apns",
    enabled: true,
    weight: 1,
    max_concurrent: 64,
    timeout_ms: 10_000,
    on_uncertain: "at_most_once",
    settings: { base_url, team_id, key_id, topic },
    secrets: { key: sealSecret(masterKey, double.key) },
  };
  let due = [1, 2, 3, 4, 5, 6].map(takenOf);
  const ended: string[] = [];
  const pushes = {
    take: async () => due.splice(0),
    finish: async (_id: string, status: string) => void ended.push(status),
    nextDue: async () => undefined,
    purge: async () => undefined,
  } as unknown as Pushes;
  const faults: unknown[] = [];
  const tools = {
    context: {
      environment: "live",
      masterKey,
      settings: { smtpUrls: [], logGatewayChannels: [], baseUrl: "http://127.0.0.1" },
      directory: { gateways: () => [config], agent: () => undefined, isOver: () => false },
      vault: { open: async () => (text: string) => text },
    },
    logger: newLogger("silent"),
    fail: (error: unknown) => void faults.push(error),
  } as unknown as ReactorTools;
  const pusher = openPusher(tools, pushes);
  try {
    pusher.ring();
    await until(async () => ended.length === 6 || faults.length > 0);
    expect(faults).toEqual([]);
    expect(ended).toEqual(Array(6).fill("sent"));
    expect(double.counts.opened).toBe(1);
    due = [7].map(takenOf);
    pusher.ring();
    await until(async () => ended.length === 7);
    expect(double.counts.opened).toBe(1);
  } finally {
    await pusher.close();
    await double.close();
  }
});
