import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import { unfinished } from "../tables/attachments.ts";
import { giveUp, uploadMs, type Attachments } from "./upload.ts";

/** One sweep's part; more is left for the next one. */
const sweptAtOnce = 100;

/** Removes what uploads that were cut off have left, a killed process's half files too, and the bytes of attachments that were removed. Doing so twice changes nothing. */
export async function sweepAttachments(
  pools: readonly pg.Pool[],
  { store, spool }: Pick<Attachments, "store" | "spool">,
  nowMs: number,
): Promise<void> {
  const before = nowMs - uploadMs;
  for (const pool of pools)
    for (const upload of await unfinished(pool, new Date(before), sweptAtOnce))
      await giveUp(pool, store, upload);
  for (const name of await namesIn(spool)) {
    const path = join(spool, name);
    const found = await stat(path).catch(absent);
    if (found !== undefined && found.mtimeMs < before) await rm(path, { force: true });
  }
}

/** None before the first upload. */
const namesIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder).catch(absent)) ?? [];

function absent(error: unknown): undefined {
  if ((error as { code?: string }).code !== "ENOENT") throw error;
}
