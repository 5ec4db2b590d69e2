import { randomFillSync } from "node:crypto";
import { hasSecret } from "@heliograph/contracts";

const sane = /^[A-Za-z0-9._:=+/-]{1,128}$/;
const pool = Buffer.alloc(16 * 256);
let used = pool.length;

/** 128 random bits from a pool: one call to the random source for 256 ids. */
function make(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const id = pool.toString("hex", used, used + 16);
  used += 16;
  return `req_${id}`;
}

/** The caller's id when it is short and harmless in headers and log lines, and no key of ours; else a new one. */
export const requestId = (offered: string | undefined): string =>
  offered !== undefined && sane.test(offered) && !hasSecret(offered) ? offered : make();
