import { uuid5, type EventData } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { type Append, type NewEvent, recordedOf } from "@heliograph/log";
import type { AgentRecord, ServiceContext } from "@heliograph/runtime";
import { decideAssignment, type Candidate, type Decided, type Option } from "./decide.ts";
import type { Desk, DeskTeam, Presence } from "./desk.ts";
import type { Languages } from "./languages.ts";
import { dueTimes, system, targets, type ThreadEvent, type Work } from "./work.ts";

const by = { id: system };

type PlanOptions = {
  readonly desk: Desk;
  readonly directory: Pick<ServiceContext["directory"], "agent" | "isOver">;
  readonly environment: ServiceContext["environment"];
  readonly languages: Languages;
  /** Up to where the desk has folded the log. */
  readonly position: bigint;
  readonly nowMs: number;
};

/** A round of decisions: each is folded into the desk at once, so that the next one counts with it, and appended afterwards. */
export class Plan {
  readonly #options: PlanOptions;
  readonly #appends = new Map<string, { readonly expected: number; readonly events: NewEvent[] }>();
  readonly #candidates: (team: DeskTeam, work: Work) => Option;
  readonly #at: string;

  constructor(options: PlanOptions) {
    this.#options = options;
    this.#candidates = candidatesOf(options);
    this.#at = formatTime(options.nowMs);
  }

  get appends(): readonly Append[] {
    return [...this.#appends].map(([stream, append]) => ({ stream, ...append }));
  }

  /** Tells targets whose time has passed. */
  overdue(works: readonly Work[]): void {
    const { directory, environment } = this.#options;
    for (const work of works.filter(({ partner }) => !directory.isOver(environment, partner)))
      for (const target of targets) {
        const dueMs = work.due[target];
        if (dueMs === undefined || dueMs > this.#options.nowMs) continue;
        this.#add(work, "ConversationOverdue", {
          target,
          due_at: formatTime(dueMs),
          ...(work.assignee && { agent: work.assignee }),
        });
      }
  }

  /** Takes back what nobody answers, and gives out what waits. */
  async partner(partner: string): Promise<void> {
    const { desk } = this.#options;
    for (const agent of desk.assigneesOf(partner))
      for (const work of desk.openOf(agent)) {
        const reason = reasonToGiveBack(work, this.#options);
        if (reason !== undefined) this.#giveBack(work, reason);
      }
    const teams = desk.teamsOf(partner);
    // Nobody but who asked is told that there is no team.
    const waiting = desk.waiting(partner, teams.length > 0 ? "all" : "asked");
    if (waiting.length > 0) await this.#assign(waiting, teams);
  }

  async #assign(waiting: readonly Work[], teams: readonly DeskTeam[]): Promise<void> {
    const { languages } = this.#options;
    if (namesLanguages(teams, this.#options))
      await languages.load(waiting.map(({ contact }) => contact));
    /** What nobody could take a moment ago nobody can take now: the only thing that changes is that places are taken. */
    const refused = new Map<string, Decided>();
    for (const work of waiting) {
      const language = languages.of(work.contact);
      const asks = work.pinned ? `team ${work.team}` : `inbox ${work.inbox}`;
      const key = `${asks} ${language} ${work.assignee?.id}`;
      const decided = refused.get(key) ?? this.#decide(work, teams, language);
      if (decided.kind === "queued") refused.set(key, decided);
      if (decided.kind === "assigned" || tells(work, decided)) this.#settle(work, decided);
    }
  }

  #decide(work: Work, teams: readonly DeskTeam[], language: string | undefined): Decided {
    const options = teamsFor(work, teams).map((team) => this.#candidates(team, work));
    return decideAssignment({ options, language, nowMs: this.#options.nowMs });
  }

  #settle(work: Work, decided: Decided): void {
    const shared = {
      by,
      reason: decided.reason,
      considered: [...decided.considered],
      ...(decided.team && {
        team: decided.team.team_id,
        team_revision: decided.team.revision,
        ...dueTimes(work, decided.team),
      }),
    };
    const previous = work.assignee;
    if (decided.kind === "assigned") {
      const { id, name } = decided.agent;
      this.#add(work, "ConversationAssigned", {
        ...shared,
        agent: { id, name },
        ...(previous !== undefined && previous.id !== id && { previous_agent: previous }),
        assigned_at: this.#at,
      });
      return;
    }
    if (previous !== undefined) this.#giveBack(work, decided.reason);
    this.#add(work, "ConversationQueued", { ...shared, queued_at: this.#at });
  }

  #giveBack(work: Work, reason: string): void {
    this.#add(work, "ConversationUnassigned", {
      previous_agent: work.assignee!,
      ...(work.team !== undefined && { team: work.team }),
      by,
      reason,
      unassigned_at: this.#at,
    });
  }

  /** The id follows from the place in the thread: whoever decides it again after a crash finds it there. */
  #add<Type extends ThreadEvent["type"]>(
    work: Work,
    type: Type,
    data: Omit<EventData<Type>, "conversation_id" | "contact_id">,
  ): void {
    const { desk, position, nowMs: recordedAt } = this.#options;
    const { thread, revision: last, conversation, contact, partner } = desk.work(work.thread)!;
    const revision = last + 1;
    const event: NewEvent = {
      id: uuid5("assignment", thread, String(revision), type),
      type,
      data: { conversation_id: conversation, contact_id: contact, ...data },
      metadata: { partner, actor: system, correlation: conversation },
    };
    const append = this.#appends.get(thread);
    if (append === undefined) this.#appends.set(thread, { expected: last, events: [event] });
    else append.events.push(event);
    const outcome = { kind: "appended", revision, position, recordedAt } as const;
    for (const recorded of recordedOf(thread, [event], outcome)) desk.fold(recorded as ThreadEvent);
  }
}

/** A conversation tells once that it waits; one that routing was asked for always gets its answer. A partner without teams is told nothing unasked. */
const tells = (work: Work, decided: Decided): boolean =>
  work.asked || (!work.queued && decided.team !== undefined);

/** Where no agent names a language no contact's is wanted, and none is read. */
const namesLanguages = (teams: readonly DeskTeam[], { directory }: PlanOptions): boolean =>
  teams.some(({ agent_ids }) =>
    agent_ids.some((id) => (directory.agent(id)?.languages.length ?? 0) > 0),
  );

/** The team that somebody asked for; else those of the inbox, else those that take what no other takes. */
function teamsFor(work: Work, teams: readonly DeskTeam[]): readonly DeskTeam[] {
  if (work.pinned) return teams.filter(({ team_id }) => team_id === work.team);
  const own = teams.filter(({ inboxes }) => inboxes.includes(work.inbox));
  return own.length > 0 ? own : teams.filter(({ inboxes }) => inboxes.length === 0);
}

/** Whoever may not sign in here, or only looks on, can have no conversation. */
const isAble = (agent: AgentRecord, environment: ServiceContext["environment"]): boolean =>
  agent.status !== "disabled" &&
  agent.role !== "viewer" &&
  agent.environments.includes(environment);

const candidatesOf =
  ({ desk, directory, environment }: PlanOptions) =>
  (team: DeskTeam, work: Work): Option => ({
    team,
    agents: team.agent_ids.flatMap((id): readonly Candidate[] => {
      const agent = directory.agent(id);
      if (agent === undefined || agent.partner_id !== team.partner) return [];
      const open = desk
        .openOf(id)
        .filter(
          ({ thread, partner }) =>
            thread !== work.thread && !directory.isOver(environment, partner),
        ).length;
      return [
        {
          id,
          name: agent.name,
          able: isAble(agent, environment),
          presence: desk.presence(id)?.status ?? "offline",
          capacity: agent.capacity,
          open,
          skills: agent.skills,
          languages: agent.languages,
          turn: desk.turn(team.team_id, id),
        },
      ];
    }),
  });

/**
 * Why an agent cannot keep a conversation: what nobody answers where he has left since he got it, and everything where he was disabled or only looks on now. The directory may hear of that later than the
 * log, and forgets it when he is active again; a presence stays until the agent says otherwise.
 */
function reasonToGiveBack(work: Work, { desk, directory }: PlanOptions): string | undefined {
  const { id, name } = work.assignee!;
  const agent = directory.agent(id);
  if (agent?.status === "disabled") return `${name} was disabled`;
  if (agent?.role === "viewer") return `${name} only looks on now`;
  if (work.stray) return `${name} had left the team`;
  const presence = desk.presence(id);
  if (presence === undefined || isThere(presence) || work.answered) return undefined;
  if (work.byHand !== undefined && work.byHand > presence.since) return undefined;
  return presence.status === "disabled"
    ? `${name} was disabled`
    : `${name} went offline and had not answered`;
}

const isThere = ({ status }: Presence): boolean => status === "online" || status === "away";
