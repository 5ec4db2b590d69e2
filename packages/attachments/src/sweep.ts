import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import { giveUp, uploadMs } from "./keep.ts";
import type { Attachments } from "./store.ts";
import { forgetLost } from "./tables/fetches.ts";
import { removeReceived, unfinished } from "./tables/attachments.ts";

/** One sweep's part; more is left for the next one. */
const sweptAtOnce = 100;
const dayMs = 86_400_000;
/** What came with a message that turned out to be nobody's is kept so long: meanwhile an operator can say whose it is. */
const unownedDays = 7;
/** What was fetched for a send is kept so long after the last message that names it may be sent. */
const fetchedDays = 7;

type Swept = { readonly pool: pg.Pool; readonly vault: Pick<Vault, "destroy"> };

/**
 * Removes what uploads that were cut off have left, a killed process's half files too, the bytes of attachments that were removed, and what came from outside so many days ago. Doing so twice changes
 * nothing.
 */
export async function sweepAttachments(
  environments: readonly Swept[],
  { store, spool }: Pick<Attachments, "store" | "spool">,
  nowMs: number,
  receivedDays: number,
): Promise<void> {
  const before = nowMs - uploadMs;
  const old = {
    unowned: new Date(nowMs - unownedDays * dayMs),
    fetched: new Date(nowMs - fetchedDays * dayMs),
    kept: new Date(nowMs - receivedDays * dayMs),
  };
  for (const { pool, vault } of environments) {
    for (const [partner, ids] of await removeReceived(pool, old, new Date(nowMs), sweptAtOnce))
      await vault.destroy(partner, ids);
    await forgetLost(pool, old.kept, sweptAtOnce);
    for (const upload of await unfinished(pool, new Date(before), sweptAtOnce))
      await giveUp(pool, store, upload);
  }
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
