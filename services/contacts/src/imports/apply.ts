import type { ExternalIdRef } from "@heliograph/channels";
import { PublicError, streamOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import { claimKey } from "../claims.ts";
import {
  type Commanded,
  createContact,
  findByExternalId,
  upsertByExternalId,
} from "../commands.ts";
import type { ContactsContext } from "../streams.ts";
import type { Job } from "../tables/imports.ts";
import { createAll } from "./bulk.ts";
import type { RowFault } from "./columns.ts";
import { type ReadyRow, namelessId, readied } from "./ready.ts";
import { type ImportRow, faultOf } from "./rows.ts";

export type RowOutcome = "created" | "updated" | "skipped" | RowFault;
/** So many rows that others stand in the way of are worked on at once; each waits for the log some times over. */
const atOnce = 64;

/**
 * Applies rows in their order, and says what became of each. The ids of all events follow from the import and the row, so rows that an earlier try applied
 * before it was killed are recognised and come out as they did.
 */
export async function applyRows(
  deps: { readonly log: EventLog; readonly vault: Vault },
  job: Job,
  rows: readonly ImportRow[],
): Promise<readonly RowOutcome[]> {
  const outcomes = new Map<number, RowOutcome>();
  const ready: ReadyRow[] = [];
  for (const row of rows) {
    const found = readied(deps, job, row);
    if ("code" in found) outcomes.set(row.row, found);
    else ready.push(found);
  }
  const { fresh, others } = await divided(deps.log, ready);
  const left = new Set(await createAll(deps, job, fresh));
  for (const { row } of fresh) if (!left.has(row)) outcomes.set(row, "created");
  const groups = grouped([...others, ...fresh.filter(({ row }) => left.has(row))]);
  await inParallel(groups, async (group) => {
    for (const each of group) outcomes.set(each.row, await applyOne(job, each));
  });
  return rows.map(({ row }) => outcomes.get(row)!);
}

/** Rows whose ids nobody ever had and no other row of the batch has, which are most of a first import, and the others. */
async function divided(
  log: EventLog,
  rows: readonly ReadyRow[],
): Promise<{ readonly fresh: readonly ReadyRow[]; readonly others: readonly ReadyRow[] }> {
  const uses = new Map<string, number>();
  for (const { ids } of rows) for (const { name } of ids) uses.set(name, (uses.get(name) ?? 0) + 1);
  const streamOfName = (name: string) => streamOf("external", claimKey(name));
  const claims = await log.readStreams([...uses.keys()].map(streamOfName), { limit: 1 });
  const isFresh = ({ ids }: ReadyRow): boolean =>
    ids.every(
      ({ name }) => uses.get(name) === 1 && (claims.get(streamOfName(name)) ?? []).length === 0,
    );
  return { fresh: rows.filter(isFresh), others: rows.filter((row) => !isFresh(row)) };
}

/** Rows that share an id, directly or through others, in their order: one sees what the one before it did. */
function grouped(rows: readonly ReadyRow[]): readonly (readonly ReadyRow[])[] {
  const byName = new Map<string, ReadyRow[]>();
  const groups = new Set<ReadyRow[]>();
  for (const row of rows.toSorted((left, right) => left.row - right.row)) {
    const met = new Set(row.ids.flatMap(({ name }) => byName.get(name) ?? []));
    const joined = new Set(row.ids.flatMap(({ name }) => [byName.get(name) ?? []]));
    for (const group of joined) groups.delete(group);
    const group = [...met, row].toSorted((left, right) => left.row - right.row);
    groups.add(group);
    for (const each of group) for (const { name } of each.ids) byName.set(name, group);
  }
  return [...groups];
}

async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function applyOne(job: Job, row: ReadyRow): Promise<RowOutcome> {
  const { context } = row;
  try {
    const done = await commanded(job, row);
    if (done.kind !== "refused")
      // Made by this very row, perhaps before the process was killed.
      return done.kind === "created" || done.firstEventId === context.eventId("created")
        ? "created"
        : "updated";
    return done.error.code === "external_id_taken" && job.on_conflict === "skip"
      ? "skipped"
      : faultOf(done.error);
  } catch (error) {
    if (error instanceof PublicError && error.status < 500) return faultOf(error);
    throw error;
  }
}

async function commanded(job: Job, { row, ids, input, context }: ReadyRow): Promise<Commanded> {
  const made = { made_by: "import" } as const;
  const external_ids: ExternalIdRef[] = ids.map(({ source, id }) => ({ source, id }));
  if (job.on_conflict !== "update" || external_ids.length === 0) {
    return createContact(context, { ...input, external_ids }, made, namelessId(job, row));
  }
  const lead = await heldOf(context, external_ids);
  const others = external_ids.filter((each) => each !== lead);
  return upsertByExternalId(context, lead, { ...input, external_ids: others }, made);
}

/** The first of the ids that a contact has; the first of all where none has any. */
async function heldOf(
  context: ContactsContext,
  ids: readonly ExternalIdRef[],
): Promise<ExternalIdRef> {
  if (ids.length > 1)
    for (const id of ids) if ((await findByExternalId(context, id)) !== undefined) return id;
  return ids[0]!;
}
