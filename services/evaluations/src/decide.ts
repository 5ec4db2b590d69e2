import type { EventData } from "@heliograph/contracts";
import type { Decision } from "@heliograph/log";
import type { Contact, Evaluation } from "./evolve.ts";

/** Why something is not done with an evaluation. */
export type Refusal = "not_found" | "closed" | "erased" | "taken" | "not_provisioned";
type Decided = Decision<Refusal>;

/** What a new evaluation begins with: the contact whose turn it is, and the tenant. Once; not where it was closed meanwhile. */
export function decideProvision(
  evaluation: Evaluation | undefined,
  given: { readonly partner: string; readonly contact: Contact | undefined },
  now: string,
): Decided {
  if (evaluation === undefined) return { refusal: "not_found" };
  const { evaluation_id } = evaluation;
  if (evaluation.provisioned_at !== undefined || evaluation.closed_at !== undefined)
    return { events: [] };
  const assigned: EventData<"EvaluationAssigned">[] =
    given.contact === undefined || evaluation.contact !== undefined
      ? []
      : [{ evaluation_id, contact: given.contact, by: "rota", assigned_at: now }];
  return {
    events: [
      ...assigned.map((data) => ({ type: "EvaluationAssigned", data })),
      {
        type: "EvaluationProvisioned",
        data: { evaluation_id, partner_id: given.partner, provisioned_at: now },
      },
    ],
  };
}

/** Another request of somebody who has one already ends at once; the earlier one goes on. */
export function decideDuplicate(
  evaluation: Evaluation | undefined,
  of: string,
  now: string,
): Decided {
  if (evaluation === undefined) return { refusal: "not_found" };
  const { evaluation_id, provisioned_at, closed_at } = evaluation;
  if (provisioned_at !== undefined || closed_at !== undefined) return { events: [] };
  const data = { evaluation_id, duplicate_of: of, closed_at: now };
  return { events: [{ type: "EvaluationClosed", data }] };
}

export type Assignment = {
  readonly contact: Contact;
  readonly slack_invite_url: string | undefined;
};

/** A person takes an evaluation or gives it to one. The mail that names the contact goes out then, so the visitor has been contacted. */
export function decideAssign(
  evaluation: Evaluation | undefined,
  { contact, slack_invite_url }: Assignment,
  now: string,
): Decided {
  if (evaluation === undefined) return { refusal: "not_found" };
  const { evaluation_id, closed_at, contacted_at } = evaluation;
  if (closed_at !== undefined) return { refusal: "closed" };
  const isSame =
    evaluation.contact?.email === contact.email &&
    (slack_invite_url ?? evaluation.slack_invite_url) === evaluation.slack_invite_url;
  if (contacted_at !== undefined && isSame) return { events: [] };
  const data: EventData<"EvaluationAssigned"> = {
    evaluation_id,
    contact,
    by: "person",
    ...(slack_invite_url !== undefined && { slack_invite_url }),
    assigned_at: now,
  };
  return {
    events: [
      { type: "EvaluationAssigned", data },
      ...(contacted_at === undefined ? [contacted(evaluation_id, now)] : []),
    ],
  };
}

/** By the link of the team's message: whoever comes first has it. */
export const decideTake = (
  evaluation: Evaluation | undefined,
  assignment: Assignment,
  now: string,
): Decided =>
  evaluation?.contacted_at !== undefined && evaluation.closed_at === undefined
    ? { refusal: "taken" }
    : decideAssign(evaluation, assignment, now);

export function decideNote(evaluation: Evaluation | undefined, text: string, now: string): Decided {
  if (evaluation === undefined) return { refusal: "not_found" };
  if (evaluation.erased_at !== undefined) return { refusal: "erased" };
  const data = { evaluation_id: evaluation.evaluation_id, text, noted_at: now };
  return { events: [{ type: "EvaluationNoted", data }] };
}

/** A customer has been spoken with, whoever noted it. */
export function decideConvert(evaluation: Evaluation | undefined, now: string): Decided {
  if (evaluation === undefined) return { refusal: "not_found" };
  const { evaluation_id, provisioned_at, contacted_at, converted_at, closed_at } = evaluation;
  if (closed_at !== undefined) return { refusal: "closed" };
  if (provisioned_at === undefined) return { refusal: "not_provisioned" };
  if (converted_at !== undefined) return { events: [] };
  return {
    events: [
      ...(contacted_at === undefined ? [contacted(evaluation_id, now)] : []),
      { type: "EvaluationConverted", data: { evaluation_id, converted_at: now } },
    ],
  };
}

export function decideClose(
  evaluation: Evaluation | undefined,
  reason: string | undefined,
  now: string,
): Decided {
  if (evaluation === undefined) return { refusal: "not_found" };
  if (evaluation.closed_at !== undefined) return { events: [] };
  const data: EventData<"EvaluationClosed"> = {
    evaluation_id: evaluation.evaluation_id,
    ...(reason !== undefined && { reason }),
    closed_at: now,
  };
  return { events: [{ type: "EvaluationClosed", data }] };
}

/** Nobody can be answered who cannot be read: it is closed too. */
export function decideErase(evaluation: Evaluation | undefined, now: string): Decided {
  if (evaluation === undefined) return { refusal: "not_found" };
  const { evaluation_id, closed_at, erased_at } = evaluation;
  if (erased_at !== undefined) return { events: [] };
  return {
    events: [
      ...(closed_at === undefined
        ? [{ type: "EvaluationClosed", data: { evaluation_id, closed_at: now } }]
        : []),
      { type: "EvaluationErased", data: { evaluation_id, erased_at: now } },
    ],
  };
}

const contacted = (evaluation_id: string, now: string) => ({
  type: "EvaluationContacted",
  data: { evaluation_id, contacted_at: now },
});
