import { uuid5, type EventData } from "@heliograph/contracts";
import {
  evolveThread,
  newestOf,
  replyEvents,
  type ThreadEvent,
  type ThreadState,
} from "@heliograph/domain";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decideClose,
  decideInbound,
  decideNote,
  decideRead,
  decideReopen,
  decideSnooze,
  decideWake,
  type Decided,
} from "../src/decide.ts";

/** As a process does that remembers nothing. */
function foldThread(events: readonly ThreadEvent[]): ThreadState | undefined {
  let state: ThreadState | undefined;
  for (const event of events) state = evolveThread(state, event);
  return state;
}

const name = "T";
const by = { id: "agt_1", name: "Ben" };
const beginMs = Date.parse("2026-05-23T12:00:00Z");
const hourMs = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();
const message = (index: number): string => `msg_${index}`;

const inbound = (
  index: number,
  atMs: number,
  more: Partial<EventData<"InboundMatched">> = {},
): EventData<"InboundMatched"> => ({
  inbound_id: `inb_${index}`,
  message_id: message(index),
  contact_id: "cnt_A",
  known: true,
  channel: "sms",
  external_id: { source: "sms", id: "+15551234567", name: "N" },
  from: "+15551234567",
  to: "+15550109999",
  text: `${index}`,
  kind: "message",
  provider: { gateway: "g", name: "g", message_id: `${index}` },
  gateway_id: "gtw_1",
  received_at: iso(atMs),
  reason: "",
  ...more,
});

/** What happens to a thread, each with how long after the one before. `index` names messages, so that the same may come twice and out of order. */
type Step =
  | { readonly type: "inbound"; readonly index: number; readonly kind: "message" | "reaction" }
  | { readonly type: "other contact"; readonly index: number }
  | { readonly type: "merged"; readonly index: number }
  | { readonly type: "reply"; readonly index: number; readonly agent: boolean }
  | { readonly type: "read"; readonly index: number }
  | { readonly type: "close" | "reopen" | "snooze" | "wake" | "note" | "restart" };
const index = fc.nat({ max: 12 });
const step: fc.Arbitrary<Step & { readonly hours: number }> = fc
  .tuple(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          type: fc.constant("inbound" as const),
          index,
          kind: fc.constantFrom("message" as const, "message" as const, "reaction" as const),
        }),
      },
      fc.record({ type: fc.constantFrom("other contact" as const, "merged" as const), index }),
      fc.record({ type: fc.constant("reply" as const), index, agent: fc.boolean() }),
      { weight: 2, arbitrary: fc.record({ type: fc.constant("read" as const), index }) },
      {
        weight: 4,
        arbitrary: fc.record({
          type: fc.constantFrom("close", "reopen", "snooze", "wake", "note", "restart" as const),
        }) as fc.Arbitrary<Step>,
      },
    ) as fc.Arbitrary<Step>,
    fc.constantFrom(0, 1, 12, 30),
  )
  .map(([what, hours]) => ({ ...what, hours }));

/** A thread as its writers have it: the log, the state that one of them remembers, and every snooze that a timer may still end. */
function openRun() {
  const log: ThreadEvent[] = [];
  let state: ThreadState | undefined;
  const snoozes: { readonly conversation: string; readonly eventId: string }[] = [];
  let nowMs = beginMs;

  function append(events: readonly { readonly type: string; readonly data: object }[]): void {
    for (const each of events) {
      const revision = log.length;
      const event = {
        id: uuid5("event", String(revision)),
        stream: `thread-${name}`,
        revision,
        position: BigInt(revision + 1),
        metadata: { partner: "ptn_1" },
        ...each,
      } as ThreadEvent;
      log.push(event);
      state = evolveThread(state, event);
      if (event.type === "ConversationSnoozed")
        snoozes.push({ conversation: event.data.conversation_id, eventId: event.id });
    }
  }
  const decided = (decision: Decided): void => append("refusal" in decision ? [] : decision.events);

  function take(what: Step & { readonly hours: number }): void {
    nowMs += what.hours * hourMs;
    const newest = newestOf(state);
    switch (what.type) {
      case "inbound":
      case "merged":
      case "other contact": {
        const kind = what.type === "inbound" ? what.kind : "message";
        const contact_id = what.type === "inbound" ? "cnt_A" : "cnt_B";
        const samePerson = what.type !== "other contact" || newest?.contactId === "cnt_B";
        const said = inbound(what.index, nowMs, { kind, contact_id });
        append(decideInbound(state, said, { name, samePerson }));
        return;
      }
      case "restart":
        // The remembered state is lost; what is folded from the log is the same.
        state = foldThread(log);
        return;
      case "wake": {
        const snooze = snoozes.shift();
        if (snooze === undefined) return;
        const resting = state?.conversations.get(snooze.conversation);
        append(decideWake(resting, snooze.eventId, iso(nowMs)));
        return;
      }
      default:
        if (state !== undefined && newest !== undefined) change(state, newest.id, what);
    }
  }

  function change(thread: ThreadState, id: string, what: Step): void {
    const conversation = thread.conversations.get(id)!;
    const at = iso(nowMs);
    switch (what.type) {
      case "close":
        return decided(decideClose(conversation, by, "asked for", at));
      case "reopen":
        return decided(decideReopen(thread, conversation, by, at));
      case "snooze":
        return decided(decideSnooze(thread, conversation, by, { until: at, at }));
      case "note":
        return decided(decideNote(conversation, by, { id: `not_${log.length}`, text: "n", at }));
      case "read":
        return decided(decideRead(thread, conversation, by, { upTo: message(what.index), at }));
      case "reply": {
        const request = {
          message_id: `msg_r${what.index}`,
          conversation_id: id,
          reply: { by: what.agent ? by : { id: "key_1" }, answers: true },
          created_at: at,
        } as EventData<"MessageRequested">;
        append(replyEvents(thread, request));
        return;
      }
      default:
        return;
    }
  }
  return { log, take, state: () => state };
}

const openIn = (state: ThreadState | undefined): readonly string[] =>
  [...(state?.conversations.values() ?? [])]
    .filter(({ status }) => status !== "closed")
    .map(({ id }) => id);
const marks = (state: ThreadState | undefined): ReadonlyMap<string, number> =>
  new Map([...(state?.conversations ?? [])].map(([id, { readRevision }]) => [id, readRevision]));

describe("any interleaving of inbound, replies, assignment, close, snooze, merge, crash and replay", () => {
  it("has one open conversation at most, the newest; unread is never negative and counts what came after the mark; the mark never moves back", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const run = openRun();
        for (const what of steps) {
          const before = marks(run.state());
          run.take(what);
          const state = run.state();
          const open = openIn(state);
          expect(open.length).toBeLessThanOrEqual(1);
          if (open.length === 1) expect(open[0]).toBe(newestOf(state)?.id);
          for (const [id, { unread, readRevision }] of state?.conversations ?? []) {
            expect(readRevision).toBeGreaterThanOrEqual(before.get(id) ?? -1);
            const after = run.log.filter(
              (event) =>
                event.type === "MessageReceived" &&
                event.data.conversation_id === id &&
                event.revision > readRevision,
            );
            expect(unread).toBe(after.length);
          }
        }
        const ids = run.log.flatMap((event) =>
          event.type === "MessageReceived" ? [event.data.message_id] : [],
        );
        expect(new Set(ids).size, "a message is received once").toBe(ids.length);
        expect(foldThread(run.log), "a rebuild is the same").toEqual(run.state());
      }),
      { numRuns: 300 },
    );
  });

  it("tells an opening before everything else of a conversation: Events overtake each other", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const run = openRun();
        for (const what of steps) run.take(what);
        const seen = new Set<string>();
        for (const { type, data } of run.log) {
          const id = (data as { conversation_id: string }).conversation_id;
          expect(seen.has(id)).toBe(type !== "ConversationOpened");
          seen.add(id);
        }
      }),
    );
  });
});

describe("a thread", () => {
  const opened = () => {
    const run = openRun();
    run.take({ type: "inbound", index: 0, kind: "message", hours: 0 });
    return run;
  };

  it.each([
    [24 * hourMs, "ConversationReopened"],
    [24 * hourMs + 1, "ConversationOpened"],
    [-hourMs, "ConversationReopened"],
  ])("that was closed is continued %i ms later with %s", (laterMs, type) => {
    const run = opened();
    run.take({ type: "close", hours: 0 });
    const said = inbound(1, beginMs + laterMs);
    const [first] = decideInbound(run.state(), said, { name, samePerson: true });
    expect(first?.type).toBe(type);
  });

  it("tells contact.matched of a known contact alone", () => {
    const types = (known: boolean) =>
      decideInbound(undefined, inbound(0, beginMs, { known }), { name, samePerson: true }).map(
        ({ type }) => type,
      );
    expect(types(true)).toEqual(["ConversationOpened", "InboundContactMatched", "MessageReceived"]);
    expect(types(false)).toEqual(["ConversationOpened", "MessageReceived"]);
  });

  it("is given to the agent who answers it when nobody has it, and to no key", () => {
    const run = opened();
    run.take({ type: "reply", index: 0, agent: false, hours: 0 });
    expect(newestOf(run.state())?.assignee).toBeUndefined();
    run.take({ type: "reply", index: 1, agent: true, hours: 0 });
    expect(newestOf(run.state())?.assignee).toEqual(by);
  });
});
