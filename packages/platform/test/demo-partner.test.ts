import { hash } from "node:crypto";
import { streamOf } from "@heliograph/contracts";
import { newLogger, readSettings } from "@heliograph/runtime";
import { testServer } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { ensureDemoPartner, openPlatform } from "../src/index.ts";

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
  } finally {
    await platform.close();
    await server.dropAll();
  }
}, 30_000);
