import type { EventData } from "@heliograph/contracts";
import { newId } from "@heliograph/contracts";
import { newLogger, openPool } from "@heliograph/runtime";
import { testDatabase, testVault } from "@heliograph/testkit";
import { isSealed, keyIdOf } from "@heliograph/vault";
import { expect, test } from "vitest";
import { addressSubject, sealRequests } from "../src/index.ts";

const request = (to: string, contact_id?: string): EventData<"MessageRequested"> => ({
  message_id: newId("msg"),
  channel: "sms",
  to,
  content: {
    text: "Hello Ada",
    push: { data: { greets: "Ada" }, badge: 1, sound: "ding", collapse_key: "hello" },
    template: {
      id: newId("tpl"),
      slug: "hello",
      version: 1,
      language: "en",
      variables: { name: "Ada", code: 1234 },
    },
  },
  category: "transactional",
  priority: 1,
  expires_at: "2026-01-02T00:00:00.000Z",
  ...(contact_id !== undefined && { contact_id, conversation_id: newId("cnv") }),
  cost: "0.01",
  currency: "USD",
  price: { list: "default", version: 1, country: "US", per_segment: "0.01" },
  segments: { count: 1, encoding: "GSM-7", characters: 9 },
  created_at: "2026-01-01T00:00:00.000Z",
});

test("a send is sealed under its address, a reply's words under its contact, and a reply to somebody who was erased is none", async () => {
  const database = await testDatabase();
  const logger = newLogger("silent");
  const pool = openPool(database.config, { name: "test", max: 2, durable: true }, logger);
  try {
    const vault = await testVault(pool);
    const partner = newId("ptn");
    const [contact, gone] = [newId("cnt"), newId("cnt")];
    await vault.destroy(partner, [gone]);
    const all = [request("+15550100"), request("+15550100", contact), request("+15550101", gone)];
    const [send, reply, lost] = await sealRequests(
      vault,
      partner,
      all.map((data) => ({ data, fingerprint: "f00" })),
    );
    expect(lost).toBeUndefined();
    const address = await vault.keysOf(partner, [
      addressSubject(vault, partner, "sms", "+15550100"),
    ]);
    const own = await vault.keysOf(partner, [{ subject: contact }]);
    expect(
      [send!, reply!].map(({ data: { to, content }, fingerprint }) =>
        [
          to,
          content.text!,
          content.push!.data!["greets"],
          fingerprint!,
          ...Object.values(content.template!.variables),
        ].map((token) => keyIdOf(String(token))),
      ),
    ).toEqual([Array(6).fill(address[0]), [address[0], ...Array(5).fill(own[0])]]);
    expect(isSealed(reply!.data.channel)).toBe(false);
    const open = await vault.open(partner, reply);
    expect(open(reply!.data).content).toEqual({
      text: "Hello Ada",
      push: all[1]!.content.push,
      template: { ...all[1]!.content.template, variables: { name: "Ada", code: "1234" } },
    });
  } finally {
    await pool.end();
    await database.drop();
  }
});
