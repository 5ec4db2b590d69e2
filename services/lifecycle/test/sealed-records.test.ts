import { testDatabase, testVault } from "@heliograph/testkit";
import { openPool, newLogger } from "@heliograph/runtime";
import { expect, test } from "vitest";
import { topicRecords } from "../src/topics/record.ts";

test("a record of a topic, which nobody can take back, holds no text of a person, not even sealed", async () => {
  const database = await testDatabase();
  const pool = openPool(
    database.config,
    { name: "test", max: 1, durable: true },
    newLogger("silent"),
  );
  try {
    const seal = await (await testVault(pool)).seal({ partner: "ptn_1", subject: "cnt_1" });
    const [record] = topicRecords(
      {
        id: "evt_1",
        type: "contact.created",
        timestamp: "2026-01-01T00:00:00.000Z",
        environment: "sandbox",
        partner: "ptn_1",
        data: { contact_id: "cnt_1", external_ids: [{ source: "sms", id: seal("+1555") }] },
      },
      1,
      new Set(),
    );
    expect(JSON.parse(record!.value)).toEqual({
      contact_id: "cnt_1",
      external_ids: [{ source: "sms", id: "[sealed]" }],
    });
  } finally {
    await pool.end();
    await database.drop();
  }
});
