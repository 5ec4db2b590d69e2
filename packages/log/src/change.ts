import { uuid5 } from "@heliograph/contracts";
import {
  asRecorded,
  type EventLog,
  type Metadata,
  type NewEvent,
  type Outcome,
  type RecordedEvent,
} from "./types.ts";

/** Each lost race means that another writer of the stream got through, so this many in a row are a stream that is written without a pause. */
export const MAX_CHANGE_TRIES = 20;

/** What a decider wants to have happened: nothing when there are no events, or its refusal. */
export type Decision<Refusal> =
  | { readonly events: readonly ProposedEvent[] }
  | { readonly refusal: Refusal };

/** An event with an id of its own is one that the decider recognises by itself when it is there. */
export type ProposedEvent = Omit<NewEvent, "id" | "metadata"> & Partial<NewEvent>;

export type ChangeOptions<State, Refusal> = {
  readonly stream: string;
  readonly evolve: (state: State | undefined, event: RecordedEvent) => State | undefined;
  /** Called again with a newer state after a lost race, so it must have no effect of its own. */
  readonly decide: (state: State | undefined) => Decision<Refusal>;
  /**
   * The id of the first event; those of the others follow from it. Wherever the stream has this id the change is made already. Where the same cause may rightly change
   * the stream again, a function of the last revision: then only the repetition at the same place is the same change. Left out where every event has an id.
   */
  readonly eventId?: string | ((revision: number) => string);
  readonly metadata?: Metadata;
  /** What the stream is taken to be, to spare the first read: a wrong guess costs a conflict. Leave out `state` for a stream that is not there. */
  readonly guess?: { readonly revision: number; readonly state?: State };
  /** As of an append. */
  readonly patient?: true;
};

export type Changed<State, Refusal> =
  /** `state` is as it was right after the change, also when `repeated` tells that an earlier try had made it; `first` is its first event as it is stored. */
  | (Folded<State> & {
      readonly kind: "changed";
      readonly repeated: boolean;
      readonly first: RecordedEvent;
    })
  | (Folded<State> & { readonly kind: "unchanged" })
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** Others were first each time. */
  | { readonly kind: "contended" };

type Folded<State> = {
  readonly state: State | undefined;
  /** Of the last event folded; -1 and 0n before there is one. */
  readonly revision: number;
  readonly position: bigint;
};

/**
 * Changes one stream: folds it, looks for its own event (an earlier try may have crashed behind its append), decides, appends at the very revision that was folded, and begins again from
 * there when another writer was first. So of two changes the later one sees the earlier, and one made twice is made once. Throws LogUnavailable, and an error when the log
 * refuses the events as invalid, which is the decider's fault.
 */
export async function change<State, Refusal = never>(
  log: Pick<EventLog, "append" | "scanStream">,
  options: ChangeOptions<State, Refusal>,
): Promise<Changed<State, Refusal>> {
  const { stream, evolve, decide, eventId, metadata, guess, patient } = options;
  let read: Folded<State> = nothing;
  let folded: Folded<State> | undefined = guess && { state: undefined, position: 0n, ...guess };
  for (let tries = 0; tries < MAX_CHANGE_TRIES; tries++) {
    if (folded === undefined) {
      const found = await foldOn(log, options, read);
      if (found.kind === "changed") return found;
      folded = read = found;
    }
    const decision = decide(folded.state);
    if ("refusal" in decision) return { kind: "refused", refusal: decision.refusal };
    if (decision.events.length === 0) return { ...folded, kind: "unchanged" };
    const { state, revision } = folded;
    const id = typeof eventId === "function" ? eventId(revision) : (eventId ?? "");
    const events = decision.events.map((event, index) => ({
      id: idOf(id, index),
      metadata: metadata ?? {},
      ...event,
    }));
    const expected = revision < 0 ? "no_stream" : revision;
    const [outcome] = await log.append([{ stream, expected, events, ...(patient && { patient }) }]);
    switch (outcome!.kind) {
      case "invalid":
        throw new Error(`${stream}: ${outcome!.message}`);
      case "conflict":
        folded = undefined;
        continue;
      case "appended":
        return ended(false, recordedOf(stream, events, outcome!), state, evolve);
      case "duplicate": {
        // Another request may have used the id: what counts is what is stored.
        const stored: RecordedEvent[] = [];
        const own = { from: revision + 1, limit: events.length };
        for await (const event of log.scanStream(stream, own)) stored.push(event);
        return ended(true, stored, state, evolve);
      }
    }
  }
  return { kind: "contended" };
}

function ended<State>(
  repeated: boolean,
  events: readonly RecordedEvent[],
  before: State | undefined,
  evolve: ChangeOptions<State, never>["evolve"],
): Extract<Changed<State, never>, { kind: "changed" }> {
  let state = before;
  for (const event of events) state = evolve(state, event);
  const { revision, position } = events.at(-1)!;
  return { kind: "changed", repeated, first: events[0]!, state, revision, position };
}

/** The events of an append as a reader would see them. Where positions have holes only the last of them is exact. */
export function recordedOf(
  stream: string,
  events: readonly NewEvent[],
  { revision, position, recordedAt }: Extract<Outcome, { kind: "appended" | "duplicate" }>,
): readonly RecordedEvent[] {
  return events.map((event, index) => {
    const behind = events.length - 1 - index;
    return asRecorded({
      version: 1,
      ...event,
      stream,
      revision: revision - behind,
      position: position - BigInt(behind),
      recordedAt,
    });
  });
}

const nothing = { state: undefined, revision: -1, position: 0n } as const;
const idOf = (id: string, index: number): string => (index === 0 ? id : uuid5(id, String(index)));

/** Folds what comes after a revision; ends behind its own events when they are there. */
async function foldOn<State, Refusal>(
  log: Pick<EventLog, "scanStream">,
  { stream, evolve, eventId }: ChangeOptions<State, Refusal>,
  from: Folded<State>,
): Promise<Extract<Changed<State, Refusal>, { kind: "changed" | "unchanged" }>> {
  let { state, revision, position } = from;
  let first: RecordedEvent | undefined;
  let own = 0;
  for await (const event of log.scanStream(stream, { from: revision + 1 })) {
    if (typeof eventId === "string" && event.id === idOf(eventId, own)) {
      first ??= event;
      own++;
    } else if (first !== undefined) break;
    state = evolve(state, event);
    ({ revision, position } = event);
  }
  return first === undefined
    ? { kind: "unchanged", state, revision, position }
    : { kind: "changed", repeated: true, state, revision, position, first };
}
