import type { EventData } from "@heliograph/contracts";
import { isWithinHours } from "@heliograph/domain";

/** A team as its newest event has it, with the revision of its stream. */
export type Team = Omit<EventData<"TeamCreated">, "created_at"> & { readonly revision: number };

/** What is known of an agent of a team when a conversation is to be given to somebody. */
export type Candidate = {
  readonly id: string;
  readonly name: string;
  /** May have conversations at all: active, in this environment, with a role that answers. */
  readonly able: boolean;
  readonly presence: "online" | "away" | "offline" | "disabled";
  readonly capacity: number;
  /** Open conversations, without the one that is decided on. */
  readonly open: number;
  readonly skills: readonly string[];
  readonly languages: readonly string[];
  /** When this team last gave the agent a conversation; 0 for never. Only its order counts. */
  readonly turn: number;
};

/** A team that may take the conversation, with its members in their order. */
export type Option = { readonly team: Team; readonly agents: readonly Candidate[] };

export type Request = {
  /** In the order in which they are asked: the first that can take it does. */
  readonly options: readonly Option[];
  /** The person's, where it is known. */
  readonly language?: string | undefined;
  readonly nowMs: number;
};

type Considered = readonly { readonly agent: string; readonly verdict: string }[];
export type Decided =
  | {
      readonly kind: "assigned";
      readonly team: Team;
      readonly agent: Candidate;
      readonly reason: string;
      readonly considered: Considered;
    }
  | {
      readonly kind: "queued";
      readonly team: Team | undefined;
      readonly reason: string;
      readonly considered: Considered;
    };

/** An event explains as many candidates as a person reads; of more, those that could take it come first. */
const maxConsidered = 200;

/** Who gets a conversation, and why; or why nobody does. Never anybody who is away, has no free place, lacks what is wanted, or is not in the team. */
export function decideAssignment({ options, language, nowMs }: Request): Decided {
  let waits: Extract<Decided, { kind: "queued" }> | undefined;
  for (const option of options) {
    const decided = askTeam(option, language, nowMs);
    if (decided.kind === "assigned") return decided;
    waits ??= decided;
  }
  return (
    waits ?? {
      kind: "queued",
      team: undefined,
      reason: "no team takes conversations of this inbox",
      considered: [],
    }
  );
}

function askTeam({ team, agents }: Option, language: string | undefined, nowMs: number): Decided {
  const queued = (reason: string, considered: Considered = []): Decided => ({
    kind: "queued",
    team,
    reason,
    considered,
  });
  if (team.routing === "manual") return queued(`${team.name} assigns by hand`);
  if (!isWithinHours(team.working_hours, nowMs))
    return queued(`it is outside the working hours of ${team.name}`);
  if (agents.length === 0) return queued(`${team.name} has no agents`);
  const spoken = languageWanted(agents, language);
  const judged = agents.map((agent) => ({ agent, refusal: refusalOf(agent, team, spoken) }));
  const fit = judged.filter(({ refusal }) => refusal === undefined).map(({ agent }) => agent);
  const considered = [
    ...fit.map((agent) => ({ agent: agent.id, verdict: `can take it: ${placesOf(agent)}` })),
    ...judged.flatMap(({ agent, refusal }) =>
      refusal === undefined ? [] : [{ agent: agent.id, verdict: refusal.verdict }],
    ),
  ].slice(0, maxConsidered);
  const [first, ...others] = fit;
  if (first === undefined) {
    const counts = new Map<string, number>();
    for (const { refusal } of judged)
      counts.set(refusal!.kind, (counts.get(refusal!.kind) ?? 0) + 1);
    const told = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
    return queued(`nobody of ${team.name} can take it: ${told}`, considered);
  }
  const before = team.routing === "round_robin" ? isEarlierTurn : isLessBusy;
  const agent = others.reduce((best, each) => (before(each, best) ? each : best), first);
  return { kind: "assigned", team, agent, reason: reasonOf(team, agent, fit.length), considered };
}

/** A team in which nobody names a language asks for none. */
const languageWanted = (
  agents: readonly Candidate[],
  language: string | undefined,
): string | undefined =>
  agents.some(({ languages }) => languages.length > 0) ? language : undefined;

type Refusal = { readonly kind: string; readonly verdict: string };

function refusalOf(
  agent: Candidate,
  team: Team,
  language: string | undefined,
): Refusal | undefined {
  const because = (kind: string, verdict = kind): Refusal => ({ kind, verdict });
  if (!agent.able || agent.presence === "disabled") return because("may not take conversations");
  if (agent.presence !== "online") return because(agent.presence, `is ${agent.presence}`);
  const lacks =
    team.skills.find((skill) => !agent.skills.includes(skill)) ??
    team.languages.find((each) => !speaks(agent, each));
  if (lacks !== undefined) return because("without a skill of the team", `lacks ${lacks}`);
  if (language !== undefined && !speaks(agent, language))
    return because(`without ${language}`, `does not speak ${language}`);
  if (agent.open >= agent.capacity) return because("without a free place", placesOf(agent));
  return undefined;
}

/** Whoever speaks `pt` understands `pt-BR`, and the other way round. */
const speaks = ({ languages }: Candidate, wanted: string): boolean =>
  languages.some((language) => primary(language) === primary(wanted));
const primary = (language: string): string => language.toLowerCase().split(/[-_]/)[0]!;

const placesOf = ({ open, capacity }: Candidate): string => `${open} of ${capacity} places taken`;

const isEarlierTurn = (left: Candidate, right: Candidate): boolean => left.turn < right.turn;

/** By the share of the places that is taken, without dividing; of equals the one whose turn is longer ago. */
function isLessBusy(left: Candidate, right: Candidate): boolean {
  const difference = left.open * right.capacity - right.open * left.capacity;
  return difference < 0 || (difference === 0 && isEarlierTurn(left, right));
}

function reasonOf(team: Team, agent: Candidate, fit: number): string {
  if (fit === 1) return `the only one of ${team.name} who can take it, ${placesOf(agent)}`;
  return team.routing === "round_robin"
    ? `next in turn of ${fit} of ${team.name}`
    : `the least busy of ${fit} of ${team.name}, ${placesOf(agent)}`;
}
