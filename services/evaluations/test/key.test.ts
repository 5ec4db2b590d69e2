import { masterKeyOf, newId, validateEvent } from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { spendLink } from "../src/key.ts";

test("a repeated press shows the key that was made across a rotation of the master key, and none without the key before", async () => {
  const platformLog = openMemoryLog({ validate: validateEvent });
  const [before, next] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const link = { sha256: "ab".repeat(32), evaluation: newId("evl"), partner: newId("ptn") };
  const spend = (masterKey: Buffer, press = "one") =>
    spendLink({ platformLog, masterKey }, link, press);
  const first = await spend(before);
  expect(first).toMatchObject({ key: expect.stringContaining("_") });
  expect(await spend(before)).toEqual(first);
  expect(await spend(masterKeyOf(next, before))).toEqual(first);
  expect(await spend(masterKeyOf(next, before), "two")).toBeUndefined();
  expect(await spend(next)).toBeUndefined();
  await platformLog.close();
});
