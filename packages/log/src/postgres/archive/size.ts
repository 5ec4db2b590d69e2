import { stat } from "node:fs/promises";
import type pg from "pg";
import type { ArchiveSize } from "../../watch.ts";
import { eventsOf } from "./files.ts";

const SUMS = `select count(*) as files, coalesce(sum(events), 0) as events, coalesce(max(last), 0) as last
  from log.archives where state <> 'restored'`;
const NAMES = "select file from log.archives where state <> 'restored'";

/** Looks up how much is archived. Files are looked at once, and only when something has changed: after ten years there are tens of thousands. One that is not here counts nothing until then. */
export function sizeOf(
  client: Pick<pg.Pool, "query"> | Pick<pg.ClientBase, "query">,
  folder: string,
): () => Promise<ArchiveSize> {
  let sizes = new Map<string, number>();
  let seen = "";
  return async () => {
    const { files, events, last } = (await client.query(SUMS)).rows[0];
    const now = `${files} ${events} ${last}`;
    if (now !== seen) {
      const { rows } = await client.query(NAMES);
      const known = sizes;
      sizes = new Map();
      for (const { file } of rows as { file: string }[])
        sizes.set(file, known.get(file) ?? (await bytesOf(eventsOf(folder, file))));
      seen = now;
    }
    const bytes = [...sizes.values()].reduce((sum, each) => sum + each, 0);
    return { events: Number(events), bytes, position: Number(last) };
  };
}

const bytesOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
