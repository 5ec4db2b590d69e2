import { failpoint } from "@heliograph/contracts";
import { ofType, type Batch } from "@heliograph/log";
import { oneAtATime, reactor, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { threadTypes } from "@heliograph/domain";
import { Desk } from "./desk.ts";
import { openLanguages, profileTypes, type Languages } from "./languages.ts";
import { Plan } from "./plan.ts";
import { readFacts, writeFacts } from "./store.ts";
import { factsDdl, spaceOfFact } from "./tables/facts.ts";
import { evolveWork, isThreadEvent, type Work } from "./work.ts";

const types = [
  ...threadTypes,
  "TeamCreated",
  "TeamChanged",
  "TeamDeleted",
  "AgentPresenceChanged",
  ...profileTypes,
] as const;
type ConsumedType = (typeof types)[number];
const isTeamEvent = ofType("TeamCreated", "TeamChanged", "TeamDeleted");

/** Due times are in seconds, so that a look a second finds them in time. */
const lookEveryMs = 1_000;
/** Working hours begin and end with a minute. */
const hoursEveryMs = 60_000;
/** A conflict means that somebody wrote into the thread at the same moment: a handful of rounds is plenty, and what is left comes with the next look. */
const maxRounds = 10;

/**
 * Gives conversations to agents and tells what is overdue. It alone decides by itself, so that places hold over all conversations of an agent; every decision is an event
 * on the thread, at the revision that was decided on.
 */
export const assignmentReactor = reactor({
  kind: "reactor",
  name: "assignment",
  schema: "assignment",
  types: [...types],
  spaces: { facts: spaceOfFact },
  migrations: [factsDdl],
  start: startAssignment,
});

async function startAssignment(tools: ReactorTools): Promise<ReactorInstance<ConsumedType>> {
  const { context, schema } = tools;
  const desk = new Desk(await readFacts(context.pool, schema));
  const assignment = new Assignment(tools, desk, openLanguages(context), await context.log.head());
  return assignment.start();
}

class Assignment {
  readonly #tools: ReactorTools;
  readonly #desk: Desk;
  readonly #languages: Languages;
  /** What a predecessor decided lies up to here. Before it is folded nothing is decided: places that are taken would look free. */
  readonly #recoverUntil: bigint;
  readonly #turn = oneAtATime();
  /** Threads of which is not known whether the log has what was decided. */
  readonly #doubtful = new Set<string>();
  #position: bigint;
  #minute = 0;
  #woken = false;

  constructor(tools: ReactorTools, desk: Desk, languages: Languages, recoverUntil: bigint) {
    this.#tools = tools;
    this.#desk = desk;
    this.#languages = languages;
    this.#recoverUntil = recoverUntil;
    this.#position = tools.checkpoint.position;
  }

  start(): ReactorInstance<ConsumedType> {
    // An agent was changed or disabled: the platform's log tells it, not this one.
    const unsubscribe = this.#tools.context.directory.onChange(() => {
      this.#desk.touchAll();
      this.#wake();
    });
    const looking = setInterval(() => this.#look(), lookEveryMs);
    return {
      handle: (batch) => this.#turn(() => this.#handle(batch)),
      stop: async () => {
        clearInterval(looking);
        unsubscribe();
        await this.#turn(async () => undefined);
      },
    };
  }

  async #handle(batch: Batch<ConsumedType>): Promise<void> {
    const desk = this.#desk;
    const unknown = new Set<string>();
    for (const event of batch.events) {
      if (isThreadEvent(event)) {
        if (!desk.see(event)) unknown.add(event.stream);
      } else if (isTeamEvent(event)) desk.seeTeam(event);
      else if (event.type === "AgentPresenceChanged") desk.seePresence(event);
      else {
        this.#languages.forget(event.data.contact_id);
        if (event.metadata.partner !== undefined) desk.touch(event.metadata.partner);
      }
    }
    await this.#read(unknown);
    if (batch.position > this.#position) this.#position = batch.position;
    await this.#decide();
    await this.#store();
  }

  /** Time passes: targets become due, hours begin. */
  #look(): void {
    const nowMs = Date.now();
    const minute = Math.floor(nowMs / hoursEveryMs);
    if (minute !== this.#minute) this.#desk.touchByTheClock();
    this.#minute = minute;
    if (this.#desk.isDue(nowMs) || this.#desk.isTouched()) this.#wake();
  }

  #wake(): void {
    if (this.#woken || this.#tools.stopping.aborted) return;
    this.#woken = true;
    this.#turn(async () => {
      this.#woken = false;
      await this.#decide();
      await this.#store();
    }).catch(this.#tools.fail);
  }

  async #decide(): Promise<void> {
    if (this.#position < this.#recoverUntil) return;
    const { context } = this.#tools;
    for (let round = 0; round < maxRounds; round++) {
      await this.#read(this.#doubtful);
      this.#doubtful.clear();
      const nowMs = Date.now();
      const plan = new Plan({
        desk: this.#desk,
        directory: context.directory,
        environment: context.environment,
        languages: this.#languages,
        position: this.#position,
        nowMs,
      });
      plan.overdue(this.#desk.takeDue(nowMs));
      const { directory, environment } = context;
      const touched = this.#desk.takeTouched().map((each) => directory.spaceOf(environment, each));
      for (const partner of new Set(touched)) await plan.partner(partner);
      if (plan.appends.length === 0) return;
      await this.#append(plan.appends);
    }
  }

  /** What was not appended as it was decided is read again, and decided anew. */
  async #append(appends: Plan["appends"]): Promise<void> {
    for (const { stream } of appends) this.#doubtful.add(stream);
    await failpoint("assignment.before_append");
    const outcomes = await this.#tools.context.log.append(appends);
    await failpoint("assignment.after_append");
    let invalid: string | undefined;
    for (const [index, outcome] of outcomes.entries()) {
      const { stream } = appends[index]!;
      if (outcome.kind === "invalid") invalid = `${stream}: ${outcome.message}`;
      if (outcome.kind === "appended") this.#doubtful.delete(stream);
    }
    if (invalid !== undefined) throw new Error(invalid);
  }

  async #read(threads: ReadonlySet<string>): Promise<void> {
    for (const thread of threads) {
      let work: Work | undefined;
      for await (const event of this.#tools.context.log.scanStream(thread))
        if (isThreadEvent(event)) work = evolveWork(work, event);
      this.#desk.put(thread, work);
    }
  }

  async #store(): Promise<void> {
    const { facts, stored } = this.#desk.changes();
    await this.#tools.checkpoint.commit(this.#position, writeFacts(facts));
    stored();
  }
}
