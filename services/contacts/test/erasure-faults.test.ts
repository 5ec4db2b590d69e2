import { newId, uuid7 } from "@heliograph/contracts";
import { openPostgresLog, type RecordedEvent } from "@heliograph/log";
import { newLogger, openPool } from "@heliograph/runtime";
import { consumerOn, spawnService, testDatabase, testVault, until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { readClaim } from "../src/claims.ts";
import { createContact } from "../src/commands.ts";
import { erasureReactor } from "../src/erasure/reactor.ts";
import type { ContactsContext } from "../src/streams.ts";
import { people } from "./people.ts";

const child = new URL("./erasure-child.ts", import.meta.url).pathname;
const points = [
  "erasure.before_destroy",
  "erasure.after_destroy",
  "erasure.after_release",
  "erasure.after_append",
];

test("killed at any point of it, an erasure is finished by whoever comes next, once", async () => {
  const database = await testDatabase();
  const connection = { connectionString: database.url };
  const pool = openPool(connection, { name: "test", max: 4, durable: true }, newLogger("silent"));
  const log = await openPostgresLog({ connection, namespace: "sandbox" });
  const partner = newId("ptn");
  const context: ContactsContext = {
    log,
    vault: await testVault(pool),
    partner,
    metadata: () => ({ partner }),
    eventId: () => uuid7(),
  };
  const write = people(context, partner);
  try {
    for (const [index, point] of points.entries()) {
      const phone = `+1555020000${index}`;
      const made = await createContact(
        context,
        { name: "Ada Lovelace", external_ids: [{ source: "sms", id: phone }] },
        { made_by: "api" },
        newId("cnt"),
      );
      if (made.kind === "refused") throw made.error;
      const { contact_id } = made.contact;
      await write.append(contact_id, "ContactErasureRequested", {
        contact_id,
        erasure_id: newId("ers"),
        requested_at: new Date().toISOString(),
      });
      const first = spawnService(child, { HELIOGRAPH_FAILPOINT: `${point}:kill` }, [database.url]);
      expect(await first.exited, first.output()).toMatchObject({ signal: "SIGKILL" });
      const second = await consumerOn(database.url, () => erasureReactor);
      const stream = `contact-${contact_id.slice(4)}` as const;
      let told: readonly RecordedEvent[];
      try {
        told = await until(
          async () => {
            const all = await log.readStream(stream);
            return all.some(({ type }) => type === "ContactErased") && all;
          },
          { timeoutMs: 20_000 },
        );
      } finally {
        await second.stop();
      }
      expect(told.filter(({ type }) => type === "ContactErased")).toHaveLength(1);
      // This process may remember the key for a second: one that starts now does not.
      const open = await (await testVault(pool)).open(partner, told);
      expect(JSON.stringify(open(told.map(({ data }) => data)))).not.toMatch(/Lovelace|\+1555/);
      const name = write.nameOf("sms", phone);
      expect((await readClaim(log, { name })).owner).toBeUndefined();
    }
  } finally {
    await log.close();
    await pool.end();
    await database.drop();
  }
}, 120_000);
