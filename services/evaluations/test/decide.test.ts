import { streamOf, uuid5 } from "@heliograph/contracts";
import type { Decision } from "@heliograph/log";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decideAssign,
  decideClose,
  decideConvert,
  decideDuplicate,
  decideErase,
  decideNote,
  decideProvision,
  decideTake,
  type Refusal,
} from "../src/decide.ts";
import { type Evaluation, evolve, statuses, statusOf } from "../src/evolve.ts";

const requested: Evaluation = {
  evaluation_id: "evl_1",
  company: "Acme",
  name: "sealed",
  email: "sealed",
  use_case: "sealed",
  address: streamOf("login", uuid5("x")),
  requested_at: "2026-03-02T10:00:00.000Z",
  promised_by: "2026-03-03T10:00:00.000Z",
};
const [ann, bob] = [
  { name: "Ann", email: "ann@example.org" },
  { name: "Bob", email: "bob@example.org" },
];
const now = "2026-03-02T11:00:00.000Z";

const commands = {
  provision: (state: Evaluation | undefined, at: string) =>
    decideProvision(state, { partner: "ptn_1", contact: ann }, at),
  duplicate: (state: Evaluation | undefined, at: string) => decideDuplicate(state, "evl_0", at),
  assign: (state: Evaluation | undefined, at: string) =>
    decideAssign(state, { contact: bob!, slack_invite_url: undefined }, at),
  take: (state: Evaluation | undefined, at: string) =>
    decideTake(state, { contact: ann!, slack_invite_url: "https://a.slack.com/" }, at),
  note: (state: Evaluation | undefined, at: string) => decideNote(state, "sealed", at),
  convert: decideConvert,
  close: (state: Evaluation | undefined, at: string) => decideClose(state, undefined, at),
  erase: decideErase,
} satisfies Record<string, (state: Evaluation | undefined, at: string) => Decision<Refusal>>;
type Command = keyof typeof commands;
const names = Object.keys(commands) as Command[];

type ProposedEvent = Extract<Decision<Refusal>, { events: unknown }>["events"][number];

const eventsOf = (decision: Decision<Refusal>): readonly ProposedEvent[] =>
  "events" in decision ? decision.events : [];

function run(given: readonly Command[]) {
  const events: ProposedEvent[] = [];
  const steps: { command: Command; before: Evaluation; decision: Decision<Refusal> }[] = [];
  let state = requested;
  for (const [index, command] of given.entries()) {
    const at = new Date(Date.parse(now) + index * 1_000).toISOString();
    const decision = commands[command](state, at);
    steps.push({ command, before: state, decision });
    for (const event of eventsOf(decision)) {
      events.push(event);
      state = evolve(state, event)!;
    }
  }
  return { state, events, steps };
}

const histories = fc.array(fc.constantFrom(...names), { maxLength: 15 });

test("whatever is asked in whatever order, each state is reached once, never left backwards, and nothing but notes follows the end, and nothing an erasure", () => {
  fc.assert(
    fc.property(histories, (given) => {
      const { events, steps } = run(given);
      const types = events.map(({ type }) => type);
      for (const type of ["Provisioned", "Contacted", "Converted", "Closed", "Erased"])
        expect(types.filter((each) => each === `Evaluation${type}`).length).toBeLessThanOrEqual(1);
      const end = types.indexOf("EvaluationClosed");
      if (end >= 0)
        expect(
          new Set(types.slice(end + 1)).difference(new Set(["EvaluationNoted", "EvaluationErased"]))
            .size,
        ).toBe(0);
      const erased = types.indexOf("EvaluationErased");
      if (erased >= 0) expect([end >= 0, types.length]).toEqual([true, erased + 1]);
      const converted = types.indexOf("EvaluationConverted");
      if (converted >= 0) {
        expect(types.slice(0, converted)).toContain("EvaluationContacted");
        expect(types.slice(0, converted)).toContain("EvaluationProvisioned");
      }
      const reached = steps.map(({ before }) => statuses.indexOf(statusOf(before)));
      expect(reached).toEqual(reached.toSorted((left, right) => left - right));
    }),
  );
});

test("whoever takes it by the link is the first person to answer, and one is", () => {
  fc.assert(
    fc.property(histories, (given) => {
      const { steps } = run(given);
      const won = steps.filter(
        ({ command, decision }) => command === "take" && eventsOf(decision).length > 0,
      );
      expect(won.length).toBeLessThanOrEqual(1);
      for (const { before } of won) expect(before.contacted_at).toBeUndefined();
    }),
  );
});

test("a command that is repeated at once changes nothing more, but for notes", () => {
  fc.assert(
    fc.property(
      histories,
      fc.constantFrom(...names.filter((name) => name !== "note")),
      (given, last) => {
        const once = run([...given, last]);
        expect(run([...given, last, last]).events).toEqual(once.events);
      },
    ),
  );
});

test("an assignment keeps the channel of the one before, and tells whoever has it already nothing new", () => {
  const { state } = run(["provision", "take"]);
  expect(state).toMatchObject({ contact: ann, contacted_at: now.replace(":00.", ":01.") });
  const next = decideAssign(state, { contact: bob!, slack_invite_url: undefined }, now);
  const [event] = eventsOf(next);
  expect(eventsOf(next)).toHaveLength(1);
  expect(evolve(state, event!)).toMatchObject({
    contact: bob,
    slack_invite_url: "https://a.slack.com/",
  });
});

test.each(names)("%s of what is not there is refused", (name) => {
  expect(commands[name](undefined, now)).toEqual({ refusal: "not_found" });
});
