import { openMemoryLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { openDirectory } from "../src/index.ts";

const keyIssued = {
  key_id: "key_1AAAA",
  partner_id: "ptn_1AAAA",
  environment: "live",
  name: "first",
  sha256: "a".repeat(64),
  prefix: "ak_live_abcd",
  scopes: ["messages:write"],
  created_at: "2026-01-01T00:00:00Z",
};

test("a key is known after it was issued and refused after it was revoked, without a restart", async () => {
  const log = openMemoryLog();
  const directory = await openDirectory(log);
  const [issued] = await log.append([
    {
      stream: "key-1AAAA",
      expected: "no_stream",
      events: [{ id: crypto.randomUUID(), type: "KeyIssued", data: keyIssued, metadata: {} }],
    },
  ]);
  await directory.caughtUp(issued?.kind === "appended" ? issued.position : -1n);
  expect(directory.key("a".repeat(64))?.revoked).toBe(false);
  const [revoked] = await log.append([
    {
      stream: "key-1AAAA",
      expected: 0,
      events: [
        {
          id: crypto.randomUUID(),
          type: "KeyRevoked",
          data: { key_id: "key_1AAAA", partner_id: "ptn_1AAAA" },
          metadata: {},
        },
      ],
    },
  ]);
  await directory.caughtUp(revoked?.kind === "appended" ? revoked.position : -1n);
  expect(directory.key("a".repeat(64))?.revoked).toBe(true);
  expect(directory.keysOf("ptn_1AAAA")).toHaveLength(1);
  await directory.close();
  const again = await openDirectory(log);
  expect(again.keyById("key_1AAAA")?.revoked).toBe(true);
  await again.close();
  await log.close();
});
