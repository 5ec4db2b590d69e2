import { operator } from "@heliograph/platform";
import type { Vault } from "@heliograph/vault";
import { type Evaluation, statusOf } from "../evolve.ts";
import type { Read } from "../read.ts";
import { contactView } from "./contacts.ts";

/** Evaluations as the API shows them, opened. */
export async function viewsOf(
  vault: Vault,
  evaluations: readonly Evaluation[],
): Promise<readonly object[]> {
  const open = await vault.open(operator.partner_id, ...evaluations);
  return evaluations.map((sealed) => viewOf(open(sealed)));
}

/** One with its notes. */
export async function fullView(
  vault: Vault,
  evaluation: Evaluation,
  notes: Read["notes"],
): Promise<object> {
  const open = await vault.open(operator.partner_id, evaluation, notes);
  return { ...viewOf(open(evaluation)), notes: open(notes) };
}

const viewOf = (evaluation: Evaluation): object => ({
  id: evaluation.evaluation_id,
  status: statusOf(evaluation),
  company: evaluation.company,
  name: evaluation.name,
  email: evaluation.email,
  use_case: evaluation.use_case,
  website: evaluation.website ?? null,
  expected_volume: evaluation.expected_volume ?? null,
  partner_id: evaluation.partner_id ?? null,
  contact: evaluation.contact === undefined ? null : contactView(evaluation.contact),
  slack_invite_url: evaluation.slack_invite_url ?? null,
  requested_at: evaluation.requested_at,
  promised_by: evaluation.promised_by,
  provisioned_at: evaluation.provisioned_at ?? null,
  key_shown_at: evaluation.key_shown_at ?? null,
  assigned_at: evaluation.assigned_at ?? null,
  contacted_at: evaluation.contacted_at ?? null,
  converted_at: evaluation.converted_at ?? null,
  closed_at: evaluation.closed_at ?? null,
  close_reason: evaluation.close_reason ?? null,
  duplicate_of: evaluation.duplicate_of ?? null,
  erased_at: evaluation.erased_at ?? null,
});
