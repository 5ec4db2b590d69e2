// What the README shows, compiled.
import type pg from "pg";
import { webhooksReactor } from "../src/index.ts";
import { listDeliveries } from "../src/tables/webhooks.ts";

declare const pool: pg.Pool;
declare const { partner, endpointId }: { partner: string; endpointId: string };

export async function example(): Promise<void> {
  const reactor = webhooksReactor({ deadlineMs: 15_000 }); // a Consumer of @heliograph/runtime
  const failed = await listDeliveries(pool, { partner, endpointId, limit: 25, status: "failed" }); // src/tables
  void [reactor, failed];
}
