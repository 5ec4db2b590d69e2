import { newId, uuid7 } from "@heliograph/contracts";
import { openPostgresLog } from "@heliograph/log";
import { newLogger, openPool, prepareConsumer } from "@heliograph/runtime";
import { testVault } from "@heliograph/testkit";
import { activityProjector } from "../src/activity.ts";
import { createContact } from "../src/commands.ts";
import type { ContactsContext } from "../src/streams.ts";

/** The sandbox of a database that a test made, as processes that come and go see it. */
export async function openFaults(url: string, partner: string) {
  const connection = { connectionString: url };
  const pool = openPool(connection, { name: "test", max: 4, durable: true }, newLogger("silent"));
  const log = await openPostgresLog({ connection, namespace: "sandbox" });
  const vault = await testVault(pool);
  await prepareConsumer(pool, activityProjector);
  const context: ContactsContext = {
    log,
    vault,
    partner,
    metadata: () => ({ partner }),
    eventId: () => uuid7(),
  };
  return {
    context,
    pool,
    async made(ids: readonly string[], name?: string): Promise<string> {
      const external_ids = ids.map((id) => ({ source: "crm", id }));
      const input = { external_ids, ...(name !== undefined && { name }) };
      const made = await createContact(context, input, { made_by: "api" }, newId("cnt"));
      if (made.kind === "refused") throw made.error;
      return made.contact.contact_id;
    },
    async close(): Promise<void> {
      await log.close();
      await pool.end();
    },
  };
}
