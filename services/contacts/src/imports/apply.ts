import type { ExternalIdRef } from "@heliograph/channels";
import { PublicError } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import {
  type Commanded,
  createContact,
  findByExternalId,
  isMadeBy,
  upsertByExternalId,
} from "../commands.ts";
import type { ContactsContext } from "../streams.ts";
import type { Job } from "../tables/imports.ts";
import { changeAll, makeAll } from "./bulk.ts";
import { type Looked, apart, contactsOf, look } from "./look.ts";
import { type Changing, type Making, type RowOutcome, planOf } from "./plan.ts";
import { type ReadyRow, namelessId, readied } from "./ready.ts";
import { type ImportRow, faultOf } from "./rows.ts";

type Deps = { readonly log: EventLog; readonly vault: Vault };
/** So many rows that are unusual, or that others stand in the way of, are worked on at once; each waits for the log some times over. */
const atOnce = 64;

/**
 * Applies rows as if one came after the other, and says what became of each. All rows that have no id and no contact in common are read, decided and appended together; those that have
 * come behind them. The ids of all events follow from the import and the row, so rows that an earlier try applied before it was killed are recognised and come out as they did.
 */
export async function applyRows(
  deps: Deps,
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
  const rowOf = new Map(
    ready.flatMap(({ row, context }) => [
      [context.eventId("created"), row],
      [context.eventId("updated"), row],
    ]),
  );
  for (let left: readonly ReadyRow[] = ready; left.length > 0;) {
    // Those that wait are looked up too: whoever means the contact of one must not overtake it.
    const { now, later } = apart(await look(left), (each) => [
      ...each.row.ids.map(({ name }) => name),
      ...contactsOf(each),
    ]);
    const done = await applyTogether(deps, job, now, rowOf);
    for (const [row, outcome] of done) outcomes.set(row, outcome);
    left = later.map(({ row }) => row);
  }
  return rows.map(({ row }) => outcomes.get(row)!);
}

/** Applies rows that mean different contacts. */
async function applyTogether(
  deps: Deps,
  job: Job,
  rows: readonly Looked[],
  rowOf: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<number, RowOutcome>> {
  const outcomes = new Map<number, RowOutcome>();
  const making: Making[] = [];
  const changing: Changing[] = [];
  const alone: ReadyRow[] = [];
  const at = new Date().toISOString();
  for (const looked of rows) {
    const { row } = looked;
    const plan = planOf(looked, job.on_conflict, (id) => rowOf.get(id), at);
    if (plan.kind === "make") making.push(plan);
    else if (plan.kind === "change") changing.push(plan);
    else if (plan.kind === "alone") alone.push(row);
    else outcomes.set(row.row, plan.outcome);
  }
  for (const { row } of making) outcomes.set(row.row, "created");
  for (const { row } of changing) outcomes.set(row.row, "updated");
  alone.push(...(await makeAll(deps, job, making)), ...(await changeAll(deps, changing)));
  await inParallel(alone, async (row) => void outcomes.set(row.row, await applyOne(job, row)));
  return outcomes;
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
      return done.kind === "created" || isMadeBy(context, done) ? "created" : "updated";
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
