import { hash } from "node:crypto";
import { streamOf } from "@heliograph/contracts";
import { newLogger, readSettings } from "@heliograph/runtime";
import { testServer } from "@heliograph/testkit";
import { expect, test } from "vitest";
import {
  changePassword,
  ensureDemoPartner,
  hashPassword,
  loginOf,
  openPlatform,
  readCredentials,
  verifyPassword,
} from "../src/index.ts";

test("every start shows the same demo keys, and another one in place of one that was revoked", async () => {
  const server = await testServer();
  const settings = readSettings({ HELIOGRAPH_MASTER_KEY: "0".repeat(64) }, ["ingress"]);
  const platform = await openPlatform(
    settings,
    { config: server.baseConfig, prefix: `${server.namePrefix}demo` },
    "given",
    newLogger("silent"),
  );
  try {
    const { directory, platformLog } = platform;
    const first = await ensureDemoPartner(platform);
    expect(await ensureDemoPartner(platform)).toEqual(first);
    const { key_id, partner_id } = directory.key(hash("sha256", first.sandboxKey, "hex"))!;
    const [revoked] = await platformLog.append([
      {
        stream: streamOf("key", key_id),
        expected: 0,
        events: [
          {
            id: crypto.randomUUID(),
            type: "KeyRevoked",
            data: { key_id, partner_id },
            metadata: {},
          },
        ],
      },
    ]);
    if (revoked?.kind !== "appended") throw new Error(JSON.stringify(revoked));
    await directory.caughtUp(revoked.position);
    const second = await ensureDemoPartner(platform);
    expect(second).toEqual({ ...first, sandboxKey: expect.stringMatching(/^ak_test_/) });
    expect(second.sandboxKey).not.toBe(first.sandboxKey);
    expect(directory.key(hash("sha256", second.sandboxKey, "hex"))?.revoked).toBe(false);
    expect(await ensureDemoPartner(platform)).toEqual(second);
    const { agent_id } = directory.agentOfLogin(loginOf(first.agent.email))!;
    expect(directory.agent(agent_id)).toMatchObject({
      partner_id,
      role: "owner",
      status: "active",
      environments: ["live", "sandbox"],
    });
    const { platformPool } = platform;
    const password = async (): Promise<string> =>
      (await readCredentials(platformPool, agent_id))!.password;
    expect(await verifyPassword(await password(), first.agent.password)).toBe(true);
    const own = await hashPassword("my own one");
    const change = { agent: agent_id, partner: partner_id, password: own, reason: "test" };
    await changePassword(platformPool, change);
    await ensureDemoPartner(platform);
    expect(await password()).toBe(own);
  } finally {
    await platform.close();
    await server.dropAll();
  }
}, 30_000);
