import { isWithinHours } from "@heliograph/domain";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  decideAssignment,
  type Candidate,
  type Decided,
  type Option,
  type Team,
} from "../src/assignment/decide.ts";

const word = fc.constantFrom("billing", "legal");
const language = fc.constantFrom("de", "en-GB", "pt");
const day = fc.constantFrom("mon" as const, "wed" as const, "sun" as const);
const clock = fc.constantFrom("00:00", "02:00", "09:00", "17:00", "21:00", "23:59");
const hours = fc.record({
  zone: fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns"),
  days: fc.array(fc.record({ day, from: clock, to: clock }), { maxLength: 3 }),
});

const candidate = (id: string): fc.Arbitrary<Candidate> =>
  fc.record({
    id: fc.constant(id),
    name: fc.constant(id),
    able: fc.boolean(),
    presence: fc.constantFrom("online", "online", "away", "offline", "disabled"),
    capacity: fc.integer({ min: 0, max: 3 }),
    open: fc.integer({ min: 0, max: 4 }),
    skills: fc.uniqueArray(word),
    languages: fc.uniqueArray(language),
    turn: fc.integer({ min: 0, max: 5 }),
  });
const option = (number: number): fc.Arbitrary<Option> =>
  fc.record({
    team: fc.record({
      team_id: fc.constant(`tea_${number}`),
      name: fc.constant(`Team ${number}`),
      agent_ids: fc.constant(["a", "b", "c"]),
      routing: fc.constantFrom("round_robin", "least_busy", "manual"),
      working_hours: fc.option(hours),
      skills: fc.uniqueArray(word, { maxLength: 1 }),
      languages: fc.uniqueArray(language, { maxLength: 1 }),
      inboxes: fc.constant([]),
      first_response_seconds: fc.constant(null),
      resolution_seconds: fc.constant(null),
      revision: fc.nat(9),
    }) as fc.Arbitrary<Team>,
    agents: fc.tuple(candidate("a"), candidate("b"), candidate("c")),
  });
const request = fc.record({
  options: fc.tuple(option(1), option(2)),
  language: fc.option(language, { nil: undefined }),
  nowMs: fc.integer({ min: 1.7e12, max: 1.9e12 }),
});

const primary = (text: string): string => text.split("-")[0]!;
const optionOf = ({ options }: { options: readonly Option[] }, decided: Decided): Option =>
  options.find(({ team }) => team.team_id === decided.team?.team_id)!;

it("nobody gets a conversation above capacity, away, unable, outside the team or its hours, without a skill or a language", () => {
  fc.assert(
    fc.property(request, (asked) => {
      const decided = decideAssignment(asked);
      if (decided.kind !== "assigned") return;
      const { team, agent } = decided;
      expect(optionOf(asked, decided).agents).toContain(agent);
      expect(agent.open).toBeLessThan(agent.capacity);
      expect([agent.able, agent.presence]).toEqual([true, "online"]);
      expect(team.routing).not.toBe("manual");
      expect(isWithinHours(team.working_hours, asked.nowMs)).toBe(true);
      for (const skill of team.skills) expect(agent.skills).toContain(skill);
      const spoken = agent.languages.map(primary);
      for (const each of team.languages) expect(spoken).toContain(primary(each));
      const named = optionOf(asked, decided).agents.some(({ languages }) => languages.length > 0);
      if (asked.language !== undefined && named) expect(spoken).toContain(primary(asked.language));
    }),
    { numRuns: 2_000 },
  );
});

it("every decision is explained: a reason, and each agent of the team that was asked with a verdict", () => {
  fc.assert(
    fc.property(request, (asked) => {
      const decided = decideAssignment(asked);
      expect(decided.reason).not.toBe("");
      expect(decided.reason.length).toBeLessThanOrEqual(500);
      const { team, agents } = optionOf(asked, decided);
      const looked = team.routing !== "manual" && isWithinHours(team.working_hours, asked.nowMs);
      const ids = decided.considered.map(({ agent }) => agent).toSorted();
      expect(ids).toEqual(looked ? agents.map(({ id }) => id) : []);
    }),
    { numRuns: 1_000 },
  );
});

it("somebody who can take it gets it: it waits only where nobody can", () => {
  fc.assert(
    fc.property(request, (asked) => {
      const [first, ...others] = asked.options[0].agents;
      const free: Candidate = {
        ...first!,
        able: true,
        presence: "online",
        capacity: 5,
        skills: ["billing", "legal"],
        languages: ["de", "en", "pt"],
      };
      const { team } = asked.options[0];
      const option = {
        team: { ...team, routing: "least_busy" as const, working_hours: null },
        agents: [free, ...others],
      };
      expect(decideAssignment({ ...asked, options: [option] }).kind).toBe("assigned");
    }),
    { numRuns: 1_000 },
  );
});

it("however many come in whatever order of routing, the sum of what an agent has never passes the capacity", () => {
  fc.assert(
    fc.property(request, fc.integer({ min: 1, max: 20 }), (asked, count) => {
      const given = new Map<string, number>();
      for (let index = 0; index < count; index++) {
        const options = asked.options.map(({ team, agents }) => ({
          team,
          agents: agents.map((agent) => ({
            ...agent,
            capacity: asked.options[0].agents.find(({ id }) => id === agent.id)!.capacity,
            open: given.get(agent.id) ?? 0,
          })),
        }));
        const decided = decideAssignment({ ...asked, options });
        if (decided.kind !== "assigned") break;
        const { id, capacity } = decided.agent;
        given.set(id, (given.get(id) ?? 0) + 1);
        expect(given.get(id)).toBeLessThanOrEqual(capacity);
      }
    }),
    { numRuns: 500 },
  );
});

const agentOf = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  id,
  name: id,
  able: true,
  presence: "online",
  capacity: 4,
  open: 0,
  skills: [],
  languages: [],
  turn: 0,
  ...more,
});
const teamOf = (more: Partial<Team> = {}): Team => ({
  team_id: "tea_1",
  name: "Support",
  agent_ids: [],
  routing: "least_busy",
  working_hours: null,
  skills: [],
  languages: [],
  inboxes: [],
  first_response_seconds: null,
  resolution_seconds: null,
  revision: 0,
  ...more,
});
const decide = (agents: readonly Candidate[], team = teamOf(), wanted?: string) =>
  decideAssignment({ options: [{ team, agents }], language: wanted, nowMs: 0 });

it("the least busy is who has the smallest share of places taken; of equals who had the last turn longest ago", () => {
  const agents = [
    agentOf("half", { open: 2, capacity: 4 }),
    agentOf("third", { open: 3, capacity: 9, turn: 2 }),
    agentOf("also a third", { open: 1, capacity: 3, turn: 1 }),
  ];
  expect(decide(agents)).toMatchObject({
    agent: { id: "also a third" },
    reason: "the least busy of 3 of Support, 1 of 3 places taken",
  });
});

it("the contact's language is wanted where agents name theirs, and nobody's where none does", () => {
  const agents = [agentOf("ada", { languages: ["pt-BR"] }), agentOf("bob", { languages: ["de"] })];
  expect(decide(agents, teamOf(), "de-AT")).toMatchObject({ agent: { id: "bob" } });
  expect(decide(agents, teamOf(), "fr")).toMatchObject({
    kind: "queued",
    reason: "nobody of Support can take it: 2 without fr",
    considered: [{ verdict: "does not speak fr" }, { verdict: "does not speak fr" }],
  });
  expect(decide([agentOf("eve")], teamOf(), "fr")).toMatchObject({ agent: { id: "eve" } });
});

it("a team that assigns by hand is given nothing by itself", () => {
  expect(decide([agentOf("ada")], teamOf({ routing: "manual" }))).toMatchObject({
    kind: "queued",
    reason: "Support assigns by hand",
  });
});
