import type { EventData, EventType, TypedEvent } from "@heliograph/contracts";

export const evaluationTypes = [
  "EvaluationRequested",
  "EvaluationProvisioned",
  "EvaluationKeyShown",
  "EvaluationAssigned",
  "EvaluationContacted",
  "EvaluationNoted",
  "EvaluationReminded",
  "EvaluationConverted",
  "EvaluationClosed",
  "EvaluationErased",
] as const satisfies readonly EventType[];
export type EvaluationEvent = TypedEvent<(typeof evaluationTypes)[number]>;
export type Contact = EventData<"EvaluationAssigned">["contact"];

/** An evaluation as its stream tells it. What the visitor wrote of a person is sealed. */
export type Evaluation = EventData<"EvaluationRequested"> & {
  readonly partner_id?: string;
  readonly provisioned_at?: string;
  readonly key_shown_at?: string;
  readonly contact?: Contact;
  readonly slack_invite_url?: string | undefined;
  readonly assigned_at?: string;
  readonly contacted_at?: string;
  readonly converted_at?: string;
  readonly closed_at?: string;
  readonly close_reason?: string;
  readonly duplicate_of?: string | undefined;
  readonly erased_at?: string;
};

export const statuses = ["requested", "provisioned", "contacted", "converted", "closed"] as const;
export type Status = (typeof statuses)[number];

/** The last of the states that it has reached: a person may be quicker than the tenant is made. */
export const statusOf = (evaluation: Evaluation): Status =>
  statuses.findLast(
    (status) => status === "requested" || evaluation[`${status}_at`] !== undefined,
  )!;

/** What an event changes. */
export function changesOf({ type, data }: EvaluationEvent): Partial<Evaluation> {
  switch (type) {
    case "EvaluationRequested":
    case "EvaluationProvisioned":
    case "EvaluationContacted":
    case "EvaluationConverted":
    case "EvaluationErased":
      return data;
    case "EvaluationKeyShown":
      return { key_shown_at: data.shown_at };
    case "EvaluationAssigned": {
      // A channel is the tenant's: it stays when the contact changes.
      const { by: _, ...rest } = data;
      return rest;
    }
    case "EvaluationNoted":
    case "EvaluationReminded":
      return {};
    case "EvaluationClosed": {
      const { reason, ...rest } = data;
      return { ...rest, ...(reason !== undefined && { close_reason: reason }) };
    }
    default:
      return type satisfies never;
  }
}

export function evolve(
  evaluation: Evaluation | undefined,
  event: { readonly type: string; readonly data: object },
): Evaluation | undefined {
  const own = event as EvaluationEvent;
  if (own.type === "EvaluationRequested") return own.data;
  return evaluation && { ...evaluation, ...changesOf(own) };
}
