import { accountOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { Team } from "./decide.ts";
import type { Fact } from "./store.ts";
import { evolveWork, nextDueMs, system, type ThreadEvent, type Work } from "./work.ts";

export type Presence = {
  readonly partner: string;
  readonly status: "online" | "away" | "offline" | "disabled";
  /** The position at which it became so. */
  readonly since: number;
};

/** `partner` and the place among the partner's teams, besides what a decision needs. */
export type DeskTeam = Team & { readonly partner: string; readonly created: number };

type TeamEvent = RecordedEvent<"TeamCreated" | "TeamChanged" | "TeamDeleted">;

/** When a team last gave an agent a conversation, by the agent. */
type Turns = Readonly<Record<string, number>>;

/**
 * Who is there, which teams there are, and every conversation that is not closed, with the indices that decisions need. It is changed by folding events, in
 * any of which it recognises what it has seen already.
 */
export class Desk {
  readonly #works = new Map<string, Work>();
  readonly #byAgent = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, Set<string>>();
  /** Those of them of which somebody asked. A partner without teams may have any number that wait and are never looked at. */
  readonly #asked = new Map<string, Set<string>>();
  readonly #teams = new Map<string, DeskTeam>();
  readonly #presence = new Map<string, Presence>();
  readonly #turns = new Map<string, Turns>();
  /** What differs from the stored rows. */
  readonly #changed = new Map<string, Fact>();
  /** Partners at whose conversations is to be looked. */
  readonly #touched = new Set<string>();
  /** No conversation is due before. */
  #dueMs = Infinity;

  constructor(facts: readonly Fact[]) {
    for (const { kind, id, fact } of facts) {
      // JSON has no undefined: what is left out of a row is that.
      if (kind === "work") this.#index(id, fact as Work);
      else if (kind === "team") this.#teams.set(id, fact as DeskTeam);
      else if (kind === "presence") this.#presence.set(id, fact as Presence);
      else this.#turns.set(id, fact as Turns);
    }
    this.touchAll();
  }

  work(thread: string): Work | undefined {
    return this.#works.get(thread);
  }

  /** Oldest first: all of a partner's, or those of which somebody asked. */
  waiting(partner: string, which: "all" | "asked" = "all"): readonly Work[] {
    const threads = which === "all" ? this.#waiting : this.#asked;
    return this.#worksOf(threads.get(partner)).sort(
      (left, right) =>
        left.waitingSince! - right.waitingSince! || left.openedAtMs - right.openedAtMs,
    );
  }

  /** Open conversations of an agent. */
  openOf(agent: string): readonly Work[] {
    return this.#worksOf(this.#byAgent.get(agent)).filter(({ status }) => status === "open");
  }

  /** Whoever has conversations of a partner. */
  assigneesOf(partner: string): readonly string[] {
    return [...this.#byAgent]
      .filter(([, threads]) =>
        [...threads].some((thread) => this.#works.get(thread)?.partner === partner),
      )
      .map(([agent]) => agent);
  }

  presence(agent: string): Presence | undefined {
    return this.#presence.get(agent);
  }

  turn(team: string, agent: string): number {
    return this.#turns.get(team)?.[agent] ?? 0;
  }

  team(id: string): DeskTeam | undefined {
    return this.#teams.get(id);
  }

  /** In the order in which they were made. */
  teamsOf(partner: string): readonly DeskTeam[] {
    return [...this.#teams.values()]
      .filter((team) => team.partner === accountOf(partner))
      .sort((left, right) => left.created - right.created);
  }

  touch(partner: string): void {
    this.#touched.add(partner);
  }

  /** Something outside of the log changed, such as what an agent may do, or the time. */
  touchAll(): void {
    for (const { partner } of this.#works.values()) this.#touched.add(partner);
  }

  takeTouched(): readonly string[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  isTouched(): boolean {
    return this.#touched.size > 0;
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  /** Conversations whose time has come. */
  takeDue(nowMs: number): readonly Work[] {
    if (!this.isDue(nowMs)) return [];
    const works = [...this.#works.values()];
    this.#dueMs = works.reduce((least, work) => Math.min(least, nextDueMs(work)), Infinity);
    return works.filter((work) => nextDueMs(work) <= nowMs);
  }

  /** Partners of whom somebody waits for a team that has hours. */
  touchByTheClock(): void {
    for (const [partner, threads] of this.#waiting)
      if (threads.size > 0 && this.teamsOf(partner).some((team) => team.working_hours !== null))
        this.#touched.add(partner);
  }

  /** What is to be stored with the next checkpoint; `stored` is called once it is. */
  changes(): { readonly facts: readonly Fact[]; stored(): void } {
    const facts = [...this.#changed.values()];
    return {
      facts,
      stored: () => {
        for (const fact of facts) {
          const key = `${fact.kind} ${fact.id}`;
          if (this.#changed.get(key) === fact) this.#changed.delete(key);
        }
      },
    };
  }

  /** Folds an event of a thread; false where it must be read from the log first, because something before it is not known here. */
  see(event: ThreadEvent): boolean {
    const work = this.#works.get(event.stream);
    // Of a closed conversation nothing is kept: what wakes it is to be read.
    if (work === undefined && event.type !== "ConversationOpened")
      return event.type !== "ConversationReopened";
    const known = work?.revision ?? event.revision - 1;
    if (event.revision > known + 1) return false;
    if (event.revision === known + 1) this.fold(event);
    this.#judge(event);
    return true;
  }

  /** Folds an event that is the next of its thread, or one that is about to be appended. */
  fold(event: ThreadEvent): void {
    this.put(event.stream, evolveWork(this.#works.get(event.stream), event));
    const { type, data } = event;
    if (type !== "ConversationAssigned" || data.team === undefined || data.by.id !== system) return;
    const turns = this.#turns.get(data.team) ?? {};
    // Of those that are about to be appended each is later than the one before.
    const last = Math.max(Number(event.position), ...Object.values(turns).map((turn) => turn + 1));
    this.#setTurns(data.team, { ...turns, [data.agent.id]: last });
  }

  /** The state of a thread as it was read from the log. */
  put(thread: string, work: Work | undefined): void {
    const before = this.#works.get(thread);
    const now = work?.status === "closed" ? undefined : work;
    if (before !== undefined) this.#unindex(thread, before);
    this.#index(thread, now);
    this.#note({ kind: "work", id: thread, fact: now });
    const partner = (now ?? before)?.partner;
    if (partner !== undefined && mattersTo(before, now)) this.#touched.add(partner);
  }

  seeTeam(event: TeamEvent): void {
    const partner = accountOf(event.metadata.partner ?? "");
    const id = event.data.team_id;
    const before = this.#teams.get(id);
    this.#touched.add(partner);
    if (event.type === "TeamDeleted") {
      this.#teams.delete(id);
      this.#turns.delete(id);
      this.#note({ kind: "team", id, fact: undefined });
      this.#note({ kind: "turns", id, fact: undefined });
      return;
    }
    if (before !== undefined && event.revision <= before.revision) return;
    const created = before?.created ?? Number(event.position);
    const team = { ...event.data, revision: event.revision, partner, created };
    this.#teams.set(id, team);
    this.#note({ kind: "team", id, fact: team });
  }

  seePresence({ data, metadata, position }: RecordedEvent<"AgentPresenceChanged">): void {
    const partner = accountOf(metadata.partner ?? "");
    const before = this.#presence.get(data.agent_id);
    if (before !== undefined && Number(position) <= before.since) return;
    const presence = { partner, status: data.status, since: Number(position) };
    this.#presence.set(data.agent_id, presence);
    this.#note({ kind: "presence", id: data.agent_id, fact: presence });
    this.#touched.add(partner);
  }

  /**
   * Events come in the order of the log, so the teams are here as they were when this one was appended: an assignment by routing whose team had lost the agent just before is
   * known by that.
   */
  #judge(event: ThreadEvent): void {
    if (event.type !== "ConversationAssigned" || event.data.by.id !== system) return;
    const { team: teamId, agent } = event.data;
    const team = teamId === undefined ? undefined : this.#teams.get(teamId);
    if (team === undefined || team.agent_ids.includes(agent.id)) return;
    const work = this.#works.get(event.stream);
    if (work?.assignee?.id === agent.id && work.byHand === undefined)
      this.put(event.stream, { ...work, stray: true });
  }

  #index(thread: string, work: Work | undefined): void {
    if (work === undefined) return;
    this.#works.set(thread, work);
    if (work.assignee !== undefined) add(this.#byAgent, work.assignee.id, thread);
    // What rests waits for nobody, unless somebody asks.
    if (work.waitingSince !== undefined && (work.status === "open" || work.asked)) {
      add(this.#waiting, work.partner, thread);
      if (work.asked) add(this.#asked, work.partner, thread);
    }
    this.#dueMs = Math.min(this.#dueMs, nextDueMs(work));
  }

  #unindex(thread: string, work: Work): void {
    this.#works.delete(thread);
    if (work.assignee !== undefined) remove(this.#byAgent, work.assignee.id, thread);
    remove(this.#waiting, work.partner, thread);
    remove(this.#asked, work.partner, thread);
  }

  #worksOf(threads: ReadonlySet<string> | undefined): Work[] {
    return [...(threads ?? [])].map((thread) => this.#works.get(thread)!);
  }

  #setTurns(team: string, turns: Turns): void {
    this.#turns.set(team, turns);
    this.#note({ kind: "turns", id: team, fact: turns });
  }

  #note(fact: Fact): void {
    this.#changed.set(`${fact.kind} ${fact.id}`, fact);
  }
}

/** Whether a change can let something be decided: a place is free, somebody waits, or somebody's work is to be looked at. */
const mattersTo = (before: Work | undefined, now: Work | undefined): boolean =>
  now === undefined ||
  before === undefined ||
  before.assignee?.id !== now.assignee?.id ||
  before.status !== now.status ||
  before.waitingSince !== now.waitingSince ||
  before.asked !== now.asked ||
  before.stray !== now.stray ||
  before.answered !== now.answered;

function add(index: Map<string, Set<string>>, key: string, thread: string): void {
  const threads = index.get(key);
  if (threads === undefined) index.set(key, new Set([thread]));
  else threads.add(thread);
}

function remove(index: Map<string, Set<string>>, key: string, thread: string): void {
  const threads = index.get(key);
  threads?.delete(thread);
  if (threads?.size === 0) index.delete(key);
}
