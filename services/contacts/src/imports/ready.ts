import { normalExternalId } from "@heliograph/channels";
import { deterministicId, uuid5 } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import { type NamedId, named } from "../claims.ts";
import type { ContactsContext } from "../streams.ts";
import type { Job } from "../tables/imports.ts";
import { type RowFault, fault } from "./columns.ts";
import type { ImportRow } from "./rows.ts";

/** A row that can be applied, with its external ids in their one form. */
export type ReadyRow = Extract<ImportRow, { readonly input: unknown }> & {
  readonly ids: readonly NamedId[];
  readonly context: ContactsContext;
};

export function readied(
  deps: { readonly log: EventLog; readonly vault: Vault },
  job: Job,
  row: ImportRow,
): ReadyRow | RowFault {
  if ("fault" in row) return row.fault;
  const context: ContactsContext = {
    ...deps,
    partner: job.partner,
    metadata: () => ({
      partner: job.partner,
      actor: job.actor,
      request_id: job.request_id,
      causation: job.id,
    }),
    eventId: (name) => uuid5("import", job.id, String(row.row), name),
  };
  const ids = new Map<string, NamedId>();
  for (const { source, id } of row.input.external_ids ?? []) {
    const read = normalExternalId(source, id);
    if (read.kind === "fault") return fault(source, read.code, read.message);
    const each = named(context, read.value);
    ids.set(each.name, each);
  }
  return { ...row, ids: [...ids.values()], context };
}

/** Of a contact that no external id names. */
export const namelessId = ({ id }: Job, row: number): string =>
  deterministicId("cnt", "import", id, String(row));
