// What the README shows, compiled.
import type pg from "pg";
import { readLifecycle } from "../src/tables/lifecycle.ts";

declare const pool: pg.Pool;
declare const partner: string;

export async function example(): Promise<void> {
  const page = await readLifecycle(pool, {
    partner,
    after: 1041,
    limit: 100,
    types: ["message.failed"],
  });
  const first = page.rows[0]; // { sequence: 1042, body: '{"id":"evt_…","type":"message.failed",…}' }
  const next = page.nextAfter; // read on from here
  void [first, next];
}
