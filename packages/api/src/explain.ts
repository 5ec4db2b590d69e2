import { eventPublicId, PublicError } from "@heliograph/contracts";
import { formatTime, timeOfEvent } from "@heliograph/domain";
import { formatPosition, type RecordedEvent } from "@heliograph/log";
import { z } from "zod";
import { foldedAtMost } from "./fold-bound.ts";
import { notValid } from "./validate.ts";

/** The events that changed a field last; those before them are as many pages of the past as anybody likes, by `as_of`. */
const mostEvents = 100;

export const ExplainQuery = z.strictObject({
  field: z
    .string()
    .regex(
      /^[^.]{1,64}(\.[^.]{1,64}){0,3}$/,
      "must be a field's name, or its path such as provider.name",
    )
    .meta({ description: "The field of the answer, or its path.", example: "status" }),
});

/** Where the value of a field comes from. */
export const FieldExplanation = z
  .object({
    id: z.string().meta({ description: "Of what was asked about." }),
    field: z.string().meta({ description: "As it was asked for." }),
    present: z.boolean().meta({ description: "Whether the answer has the field." }),
    value: z
      .unknown()
      .optional()
      .meta({ description: "What the answer says; missing where it says nothing." }),
    as_of_position: z.string(),
    events: z
      .array(
        z.object({
          position: z.string(),
          id: z.string(),
          type: z.string().meta({ description: "Of the event, as the timeline has it." }),
          timestamp: z.string(),
          actor: z.string(),
          reason: z.string().optional().meta({ description: "Why, where the event says so." }),
          before: z
            .unknown()
            .optional()
            .meta({ description: "The field before the event; missing where it was not there." }),
          after: z
            .unknown()
            .optional()
            .meta({ description: "The field after it; missing where it is not there any more." }),
        }),
      )
      .meta({ description: "Those that changed the field, oldest first." }),
    earlier: z.boolean().meta({ description: "true: events before these changed it, too." }),
  })
  .meta({ id: "FieldExplanation" });
export type FieldExplanation = z.infer<typeof FieldExplanation>;

/** The value at a path; undefined where there is none. Only what an object has itself counts. */
function valueAt(shown: unknown, path: readonly string[]): unknown {
  let value = shown;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

/** What every view of events tells of each: where it stands, what it is, when, and whose doing. */
export const whatHappened = (event: RecordedEvent) => ({
  position: formatPosition(event.position),
  id: eventPublicId(event.id),
  type: event.type,
  timestamp: formatTime(timeOfEvent(event)),
  actor: event.metadata.actor ?? "platform",
});

/** Why an event is, where it says so. */
export function reasonOf(data: RecordedEvent["data"]): string | undefined {
  if ("reason" in data) return data.reason;
  if ("quiet_hours" in data && data.quiet_hours?.until !== undefined)
    return `it is due in quiet hours, which last until ${data.quiet_hours.until}`;
  return "choice" in data ? data.choice.reason : undefined;
}

/** What was folded from, with how it is folded and shown. */
export type Folded<State, Event extends RecordedEvent> = {
  /** Oldest first. */
  readonly events: Iterable<Event> | AsyncIterable<Event>;
  readonly evolve: (state: State | undefined, event: Event) => State | undefined;
  /** The very view that the answer shows, without what is not of these events; undefined while there is nothing to show. */
  readonly show: (state: State) => object | undefined;
  /** Where the first of the events is not the first that there is: it only says from what the next one starts. */
  readonly partial?: boolean;
};

/**
 * Folds step by step, as the answer itself is made, and notes each event after which the field is another. So an explanation says what the answer says, and nothing has to be
 * kept for it. Gives undefined when there is nothing to show in the end. Throws `invalid_request` for a field that the answer never has, `known` being those that it may have, and where there are more events than a call folds.
 */
export async function explainField<State, Event extends RecordedEvent>(
  id: string,
  field: string,
  known: readonly string[],
  { events, evolve, show, partial = false }: Folded<State, Event>,
): Promise<FieldExplanation | undefined> {
  const path = field.split(".");
  if (!known.includes(path[0]!))
    throw notValid("query", [
      {
        path: "field",
        code: "unknown_field",
        message: `must be one of ${known.join(", ")}, or a path in it`,
      },
    ]);
  let state: State | undefined;
  let shown: object | undefined;
  let value: unknown;
  let position = 0n;
  let seen = 0;
  let found: FieldExplanation["events"] = [];
  let earlier = partial;
  for await (const event of foldedAtMost(events, "field")) {
    state = evolve(state, event);
    shown = state === undefined ? undefined : show(state);
    position = event.position;
    const next = valueAt(shown, path);
    const isStart = partial && seen++ === 0;
    if (!isStart && JSON.stringify(next) !== JSON.stringify(value))
      found.push(changeBy(event, value, next));
    value = next;
    if (found.length <= mostEvents) continue;
    found = found.slice(-mostEvents);
    earlier = true;
  }
  if (shown === undefined) return undefined;
  return {
    id,
    field,
    present: value !== undefined,
    ...(value !== undefined && { value }),
    as_of_position: formatPosition(position),
    events: found,
    earlier,
  };
}

function changeBy(
  event: RecordedEvent,
  before: unknown,
  after: unknown,
): FieldExplanation["events"][number] {
  const reason = reasonOf(event.data);
  return {
    ...whatHappened(event),
    ...(reason !== undefined && { reason }),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
}

/** The explanation, or the refusal of what is not there. */
export function explainedOr(found: FieldExplanation | undefined, what: string): FieldExplanation {
  if (found === undefined) throw new PublicError("not_found", `There is no such ${what}.`);
  return found;
}
