import { failpoint, streamOf, type EventData } from "@heliograph/contracts";
import type { Append, EventLog, Outcome } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import { type NamedId, claimKey, contactOfClaim, release } from "../claims.ts";
import { profileText } from "../profile.ts";
import { sealEvents, withIds } from "../streams.ts";
import type { Job } from "../tables/imports.ts";
import type { Changing, Making } from "./plan.ts";
import { namelessId, type ReadyRow } from "./ready.ts";

type Deps = { readonly log: EventLog; readonly vault: Vault };

/** A log lets some thousands of appends wait, which are everybody's. */
const appendsAtOnce = 1_000;

async function appendAll(log: EventLog, appends: readonly Append[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < appends.length; at += appendsAtOnce)
    outcomes.push(...(await log.append(appends.slice(at, at + appendsAtOnce))));
  for (const outcome of outcomes) if (outcome.kind === "invalid") throw new Error(outcome.message);
  return outcomes;
}

/**
 * Makes the contacts of rows whose ids nobody has: all claims in one append, then all contacts in another. Gives the rows that were not made because somebody else was first with an id;
 * they have left nothing behind.
 */
export async function makeAll(
  { log, vault }: Deps,
  job: Job,
  rows: readonly Making[],
): Promise<readonly ReadyRow[]> {
  if (rows.length === 0) return [];
  const made = rows.map((each) => ({ ...each, contactId: contactIdOf(job, each.row) }));
  const [lost, seals] = await Promise.all([
    claimAll(
      log,
      made.map(({ row, contactId }) => ({ row, contactId, ids: row.ids })),
    ),
    // A key that turns out not to be needed is another's who makes the same contact, or nobody's.
    vault.seals(made.map(({ contactId }) => ({ partner: job.partner, subject: contactId }))),
  ]);
  await failpoint("contacts.import.claimed");
  const created_at = new Date().toISOString();
  const appends = made.flatMap(({ row, contactId, fields }, index) => {
    if (lost.has(row)) return [];
    const seal = seals[index]!;
    const data: EventData<"ContactCreated"> = {
      contact_id: contactId,
      external_ids: row.ids.map((each) => ({ ...each, id: seal(each.id) })),
      name: fields.name === null ? null : seal(fields.name),
      profile: seal(profileText(fields)),
      made_by: "import",
      created_at,
    };
    const metadata = { ...row.context.metadata(), correlation: contactId };
    const id = row.context.eventId("created");
    const append: Append = {
      stream: streamOf("contact", contactId),
      expected: "no_stream",
      events: [{ id, type: "ContactCreated", data, metadata }],
    };
    return [{ row, append }];
  });
  const outcomes = await appendAll(
    log,
    appends.map(({ append }) => append),
  );
  const late = appends.filter((_, index) => outcomes[index]!.kind === "conflict");
  return [...lost, ...late.map(({ row }) => row)];
}

/** As a claim's contact is named everywhere: whoever finds the claim without its contact can make it. */
function contactIdOf(job: Job, { row, ids }: ReadyRow): string {
  const [lead] = ids;
  return lead === undefined ? namelessId(job, row) : contactOfClaim(lead, 0);
}

/**
 * Changes contacts at the very revisions that were decided on, after the ids that they are given are claimed. Gives the rows that somebody else came before; they have left nothing
 * behind.
 */
export async function changeAll(
  { log }: Deps,
  changes: readonly Changing[],
): Promise<readonly ReadyRow[]> {
  if (changes.length === 0) return [];
  const claiming = changes.map(({ row, ids, by }) => ({
    row,
    ids,
    contactId: by.contact.contact_id,
  }));
  const lost = await claimAll(log, claiming);
  await failpoint("contacts.import.claimed");
  const left = new Set<ReadyRow>(lost);
  const appends = await Promise.all(
    changes
      .filter(({ row }) => !lost.has(row))
      .map(async (change) => ({ change, append: await sealedChange(change) })),
  );
  const outcomes = await appendAll(
    log,
    appends.map(({ append }) => append),
  );
  for (const [index, { change }] of appends.entries()) {
    if (outcomes[index]!.kind !== "conflict") continue;
    const { row, ids, by } = change;
    for (const id of ids) await giveBack({ row, contactId: by.contact.contact_id }, id);
    left.add(row);
  }
  return [...left];
}

async function sealedChange({ row, by, events }: Changing): Promise<Append> {
  const { contact, revision } = by;
  const sealed = await sealEvents(row.context, contact.contact_id, contact, events);
  return {
    stream: streamOf("contact", contact.contact_id),
    expected: revision,
    events: withIds(sealed.events, row.context.eventId("updated")),
  };
}

type Claiming = {
  readonly row: ReadyRow;
  readonly contactId: string;
  readonly ids: readonly NamedId[];
};

/** Claims the ids that rows give to contacts; nobody ever had them. Gives the rows that do not get all of their own: they give them back. */
async function claimAll(
  log: EventLog,
  claiming: readonly Claiming[],
): Promise<ReadonlySet<ReadyRow>> {
  const claims = claiming.flatMap((by) => by.ids.map((id) => ({ by, id })));
  const claimed_at = new Date().toISOString();
  const outcomes = await appendAll(
    log,
    claims.map(({ by: { row, contactId }, id: { name, source } }): Append => {
      const data: EventData<"ExternalIdClaimed"> = {
        name,
        source,
        contact_id: contactId,
        claimed_at,
      };
      const metadata = { ...row.context.metadata(), correlation: contactId };
      const id = row.context.eventId(`claim ${name} ${contactId} 0`);
      const stream = streamOf("external", claimKey(name));
      return {
        stream,
        expected: "no_stream",
        events: [{ id, type: "ExternalIdClaimed", data, metadata }],
      };
    }),
  );
  const lost = new Set<ReadyRow>();
  for (const [index, outcome] of outcomes.entries())
    if (outcome.kind === "conflict") lost.add(claims[index]!.by.row);
  for (const [index, { by, id }] of claims.entries())
    if (lost.has(by.row) && outcomes[index]!.kind !== "conflict") await giveBack(by, id);
  return lost;
}

/** Frees an id that was claimed for nothing. */
const giveBack = (
  { row, contactId }: Pick<Claiming, "row" | "contactId">,
  id: NamedId,
): Promise<void> =>
  release(row.context, { ...id, contact_id: contactId, revision: 0, reason: "given_back" });
