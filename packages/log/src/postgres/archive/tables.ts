import { CHAINED_COLUMNS } from "../chain.ts";

/**
 * Files of events whose bodies are, or were, taken out of the table. Where the events themselves stand: `emptying` in the table, the file or both; `archived` in the file; `filling` in the file and perhaps in
 * the table again; `restored` in both, and the file is needed no more.
 */
export type ArchiveState = "emptying" | "archived" | "filling" | "restored";

const bodies = ["data", "metadata"];
const keys = CHAINED_COLUMNS.filter((name) => !bodies.includes(name));
const of = (row: "old" | "new", names: readonly string[]): string =>
  `(${names.map((name) => `${row}.${name}`).join(", ")})`;

/**
 * Makes way for archives: an event's data and metadata, and nothing else of it, may be taken out and put back by a transaction that says that it archives. The trigger is replaced, not dropped: to drop one needs a lock
 * that waits for whoever reads the table, as a dump does for hours, and behind it every append waits.
 */
export const ARCHIVE_MIGRATION = `
  create table log.archives (
    last bigint primary key,
    first bigint not null,
    events bigint not null,
    file text not null,
    sha256 bytea not null,
    state text not null,
    archived_at timestamptz not null default clock_timestamp()
  );
  create or replace trigger no_update before update on log.events for each row
    when (${of("old", keys)} is distinct from ${of("new", keys)}
      or (old.chain is not null and new.chain is distinct from old.chain)
      or (${of("old", bodies)} is distinct from ${of("new", bodies)}
        and not (coalesce(current_setting('heliograph.archive', true), '') = 'on' and (old.data = '' or new.data = ''))))
    execute function log.refuse_change();
`;
