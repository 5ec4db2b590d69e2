import { deterministicId, failpoint, streamOf, type EventData } from "@heliograph/contracts";
import type { Append, EventLog } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import { claimKey, release } from "../claims.ts";
import { maxExternalIds } from "../fields.ts";
import { noFields, patchFields, profileText, type Fields } from "../profile.ts";
import type { Job } from "../tables/imports.ts";
import { namelessId, type ReadyRow } from "./ready.ts";

type Made = { readonly row: ReadyRow; readonly contactId: string; readonly fields: Fields };

/**
 * Makes the contacts of rows whose ids nobody has: all claims in one append, then all contacts in another. Gives the rows that were not made: somebody else was first with an id, or
 * there is something wrong with them; they have left nothing behind.
 */
export async function createAll(
  { log, vault }: { readonly log: EventLog; readonly vault: Vault },
  job: Job,
  rows: readonly ReadyRow[],
): Promise<readonly number[]> {
  const left: number[] = [];
  const planned: Made[] = [];
  for (const row of rows) {
    const { external_ids: _, ...patch } = row.input;
    const patched = patchFields(noFields, patch);
    if ("errors" in patched || row.ids.length > maxExternalIds) left.push(row.row);
    else {
      planned.push({ row, contactId: contactIdOf(job, row), fields: patched.fields });
    }
  }
  if (planned.length === 0) return left;
  const secured = await claimAll(log, planned, left);
  await failpoint("contacts.import.claimed");
  if (secured.length === 0) return left;
  const seals = await vault.seals(
    secured.map(({ contactId }) => ({ partner: job.partner, subject: contactId })),
  );
  const outcomes = await log.append(
    secured.map(({ row, contactId, fields }, index): Append => {
      const seal = seals[index]!;
      const data: EventData<"ContactCreated"> = {
        contact_id: contactId,
        external_ids: row.ids.map((each) => ({ ...each, id: seal(each.id) })),
        name: fields.name === null ? null : seal(fields.name),
        profile: seal(profileText(fields)),
        made_by: "import",
        created_at: new Date().toISOString(),
      };
      const metadata = { ...row.context.metadata(), correlation: contactId };
      const id = row.context.eventId("created");
      const stream = streamOf("contact", contactId);
      return {
        stream,
        expected: "no_stream",
        events: [{ id, type: "ContactCreated", data, metadata }],
      };
    }),
  );
  for (const [index, outcome] of outcomes.entries())
    if (outcome.kind === "invalid") throw new Error(outcome.message);
    else if (outcome.kind === "conflict") left.push(secured[index]!.row.row);
  return left;
}

/** As a claim's contact is named everywhere: whoever finds the claim without its contact can make it. */
function contactIdOf(job: Job, { row, ids }: ReadyRow): string {
  const [lead] = ids;
  return lead === undefined
    ? namelessId(job, row)
    : deterministicId("cnt", streamOf("external", claimKey(lead.name)), "0");
}

/** Claims the ids of all rows. A row that does not get all of its own gives them back. */
async function claimAll(
  log: EventLog,
  planned: readonly Made[],
  left: number[],
): Promise<readonly Made[]> {
  const claims = planned.flatMap((made) => made.row.ids.map((id) => ({ made, id })));
  const claimed_at = new Date().toISOString();
  const outcomes = await log.append(
    claims.map(({ made: { row, contactId }, id: { name, source } }): Append => {
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
  const lost = new Set<Made>();
  for (const [index, outcome] of outcomes.entries())
    if (outcome.kind === "invalid") throw new Error(outcome.message);
    else if (outcome.kind === "conflict") lost.add(claims[index]!.made);
  for (const [index, { made, id }] of claims.entries())
    if (lost.has(made) && outcomes[index]!.kind !== "conflict")
      await release(made.row.context, {
        ...id,
        contact_id: made.contactId,
        revision: 0,
        reason: "given_back",
      });
  left.push(...[...lost].map(({ row }) => row.row));
  return planned.filter((made) => !lost.has(made));
}
