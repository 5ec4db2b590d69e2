import { seenUntil } from "@heliograph/api";
import { contactsSchema } from "@heliograph/contacts";
import { failpoint, streamOf, uuid5 } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { change } from "@heliograph/log";
import { isMachinery, isStopped, type ReactorTools } from "@heliograph/runtime";
import { type Job, collectParts, nextRecipients, openJobs } from "../tables/fan-out.ts";
import { nextMembers } from "./audience.ts";
import {
  type Broadcast,
  type Created,
  decideCommand,
  decideCompletion,
  evolveBroadcast,
} from "./decide.ts";
import { Lives } from "./lives.ts";
import { sendPage } from "./page.ts";
import { newestVersion, pinned } from "./personal.ts";
import { messageIdOf, openSends, type Sends } from "./sends.ts";
import { afterPageMs, nextPageOf, roundOf, withRest } from "./turns.ts";

/** Broadcasts that are looked at in a round; further ones have theirs in the next. */
const jobsOfRound = 1_000;
/** Contacts that are read at once into an audience. */
const collectLength = 2_000;
/** Somebody may have to wait for contacts to be read, or for the log to tell of what was just done. */
const soonMs = 100;
const contactsWithinMs = 1_000;
const lookAgainMs = 1_000;
const brokenMs = 10_000;
const soon = { afterMs: soonMs };
/** A timer of Node lasts no longer than 24 days, and clocks are set. */
const longestSleepMs = 60_000;

/** When a broadcast is looked at again; `orWoken`: or when something happened, if that is sooner. */
type Next = { readonly afterMs: number; readonly orWoken?: true };

/**
 * Sends broadcasts, in each round a page of one of each partner's, for at most half of the time, so that who sends a message by itself meets an idle process in between. What is to be done stands
 * in the tables, and before each page the broadcast's own stream says whether it still runs. The ids of messages follow from broadcast and contact: a page that was sent and not counted is sent again to the same effect.
 */
export class FanOut {
  readonly #tools: ReactorTools;
  readonly #stopping = new AbortController();
  /** When a broadcast is looked at again, by `performance.now()`. */
  readonly #notBefore = new Map<string, number>();
  /** The same of those that are looked at sooner if something happens. */
  readonly #ifWoken = new Map<string, number>();
  readonly #lives = new Lives();
  /** Behind which one the next round begins. */
  #after = "";
  /** Those that the rounds since the first ones came by. */
  #open = new Set<string>();
  readonly #ended: AbortSignal;
  #wake: (() => void) | undefined;
  #woken = false;
  #sends: Promise<Sends> | undefined;
  #others: Sends["others"] | undefined;
  #running: Promise<void> = Promise.resolve();
  #forget: () => void = () => undefined;

  constructor(tools: ReactorTools) {
    this.#tools = tools;
    this.#ended = AbortSignal.any([this.#stopping.signal, tools.signal]);
  }

  start(): void {
    this.#forget = this.#tools.context.clock.onChange(() => this.wake());
    this.#running = this.#run().catch(this.#tools.fail);
  }

  /** Something may be to be done. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#forget();
    this.#stopping.abort();
    this.wake();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
    await Promise.race([this.#running, late]);
    clearTimeout(timer);
    await (await this.#sends)?.close();
  }

  get #ending(): boolean {
    return this.#ended.aborted;
  }

  async #run(): Promise<void> {
    let sleepMs = Number.POSITIVE_INFINITY;
    while (!this.#ending) {
      if (this.#woken) this.#hurry();
      const isFirst = this.#after === "";
      const jobs = await this.#nextJobs();
      const { turns, waitMs } = roundOf(jobs, (job) => this.#dueInMs(job));
      if (isFirst) sleepMs = jobs.length === 0 ? Number.POSITIVE_INFINITY : lookAgainMs;
      sleepMs = Math.min(sleepMs, waitMs);
      for (const job of turns) {
        if (this.#ending) return;
        sleepMs = Math.min(sleepMs, await this.#turn(job));
      }
      const isLast = this.#after === "";
      if (isLast && sleepMs > 0) await this.#sleep(sleepMs);
    }
  }

  #hurry(): void {
    this.#woken = false;
    for (const [id, at] of this.#ifWoken) this.#notBefore.set(id, at);
    this.#ifWoken.clear();
  }

  async #nextJobs(): Promise<readonly Job[]> {
    const jobs = await openJobs(this.#tools.context.pool, this.#after, jobsOfRound);
    for (const { id } of jobs) this.#open.add(id);
    const isLast = jobs.length < jobsOfRound;
    this.#after = isLast ? "" : jobs.at(-1)!.id;
    if (isLast) {
      for (const known of [this.#notBefore, this.#ifWoken])
        for (const id of known.keys()) if (!this.#open.has(id)) known.delete(id);
      this.#lives.keepOnly(this.#open);
      this.#open = new Set();
    }
    return jobs;
  }

  #dueInMs({ id, partner, status, send_at }: Job): number {
    const inMs = (this.#notBefore.get(id) ?? 0) - performance.now();
    if (status === "running" || send_at === null) return inMs;
    return Math.max(inMs, send_at - this.#tools.context.clock.now(partner));
  }

  /** One step of a broadcast; gives after how long there may be another one. */
  async #turn(job: Job): Promise<number> {
    const began = performance.now();
    const { afterMs, orWoken } = await withRest(
      (rest) => this.#step(job, rest),
      this.#ended,
      () => this.#others?.areThere === true,
    );
    const now = performance.now();
    const until = Math.max(began + afterMs, now);
    this.#notBefore.set(job.id, until);
    if (orWoken === true) this.#ifWoken.set(job.id, now);
    else this.#ifWoken.delete(job.id);
    return until - now;
  }

  /** What breaks one broadcast stops no other; without a log or a database there is nothing to go on with. */
  async #step(job: Job, rest: () => Promise<void>): Promise<Next> {
    const { directory, environment } = this.#tools.context;
    // The sandbox was reset since: it goes with its space.
    if (directory.isOver(environment, job.partner)) return { afterMs: longestSleepMs };
    try {
      return await (job.status === "draft" ? this.#startNow(job) : this.#advance(job, rest));
    } catch (error) {
      if (isMachinery(error) || this.#ending) throw error;
      this.#tools.logger.error(
        { err: error, broadcast: job.id },
        "a broadcast is tried again later",
      );
      return { afterMs: brokenMs };
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#woken || this.#ending) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    const { signal } = this.#tools;
    signal.addEventListener("abort", wake, { once: true });
    const timer =
      ms === Number.POSITIVE_INFINITY
        ? undefined
        : setTimeout(resolve, Math.min(ms, longestSleepMs));
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
  }

  async #opened(): Promise<Sends> {
    const sends = await (this.#sends ??= openSends(this.#tools));
    this.#others = sends.others;
    return sends;
  }

  async #startNow(job: Job): Promise<Next> {
    const { log } = this.#tools.context;
    const sends = await this.#opened();
    const sender = sends.senderOf(job.id, job.partner);
    const life = await this.#lives.read(log.forPartner(job.partner), job.id);
    const templateVersion =
      sender &&
      life &&
      (await newestVersion(sends.sending.templates, sender.account, life.created.send));
    await this.#command(job, "start", (state, when) =>
      decideCommand(state, job.partner, { name: "start", templateVersion }, when),
    );
    return soon;
  }

  /** Reads some more of the audience and sends a page. */
  async #advance(job: Job, rest: () => Promise<void>): Promise<Next> {
    const { directory, log } = this.#tools.context;
    const sends = await this.#opened();
    const sender = sends.senderOf(job.id, job.partner);
    if (sender === undefined || isStopped(directory.partner(sender.account)))
      return { afterMs: lookAgainMs };
    const life = await this.#lives.read(log.forPartner(job.partner), job.id);
    // Paused or canceled a moment ago: the table has not been told.
    if (life?.status !== "running") return { afterMs: lookAgainMs, orWoken: true };
    const { per_second, audience } = life.created;
    const send = pinned(life.created.send, life.templateVersion);
    const collected = job.collected ? "all" : await this.#collect(job, audience);
    if (collected === "waits") return soon;
    const limit = nextPageOf(job, per_second, sends.others.areThere);
    const rows = limit > 0 ? await nextRecipients(this.#tools.context.pool, job.id, limit) : [];
    if (rows.length === 0) {
      if (collected === "more") return { afterMs: 0 };
      if (!isDone(job)) return { afterMs: lookAgainMs, orWoken: true };
      await this.#command(job, "completed", decideCompletion);
      return soon;
    }
    const { context, checkpoint } = this.#tools;
    const signal = this.#ended;
    const page = await sendPage({ context, sends, sender, job, send, rest, signal }, rows);
    if (page.parts.length > 0) await checkpoint.commit(checkpoint.position, page.parts);
    await failpoint("broadcasts.counted");
    const { stop } = page;
    if (stop?.kind === "pause") {
      await this.#command(job, "paused", (state, at) => pausing(state, job.partner, stop, at));
      return soon;
    }
    if (stop?.kind === "later") return { afterMs: stop.afterMs };
    return { afterMs: afterPageMs(page.accepted, per_second) };
  }

  /** Adds contacts to the audience: those that were there when it started, once the read model has seen all of them. */
  async #collect(job: Job, audience: Created["audience"]): Promise<"waits" | "more" | "all"> {
    const { context, checkpoint, signal } = this.#tools;
    const upTo = BigInt(job.started_position ?? 0);
    const contacts = { schema: contactsSchema, partner: job.partner };
    const seen = await seenUntil(context, contacts, upTo, contactsWithinMs, signal);
    if (seen < upTo) return "waits";
    const found = await nextMembers(context.projectionPool, {
      partner: job.partner,
      audience,
      after: job.collected_to,
      upTo,
      limit: collectLength,
    });
    const all = found.length < collectLength;
    const recipients = found.map(({ id }) => ({
      contact_id: id,
      message_id: messageIdOf(context.environment, job.partner, job.id, {
        contact_id: id,
        attempt: 0,
      }),
    }));
    const to = found.at(-1)?.position ?? job.collected_to;
    await checkpoint.commit(checkpoint.position, collectParts(job.id, recipients, to, all));
    await failpoint("broadcasts.collected");
    return all ? "all" : "more";
  }

  /** Appends what follows from the state of a broadcast as it is by now. */
  async #command(
    job: Job,
    name: string,
    decide: (state: Broadcast | undefined, at: string) => ReturnType<typeof decideCommand>,
  ): Promise<void> {
    const { log, clock } = this.#tools.context;
    const stream = streamOf("broadcast", job.id);
    const at = formatTime(clock.now(job.partner));
    const changed = await change<Broadcast, Error>(log.forPartner(job.partner), {
      stream,
      evolve: evolveBroadcast,
      // At one place of the stream it is the same change.
      eventId: (revision) => uuid5(stream, name, String(revision)),
      decide: (state) => decide(state, at),
      metadata: {
        partner: job.partner,
        actor: "service:ingress",
        correlation: job.id,
        ...clock.stamp(job.partner),
      },
    });
    if (changed.kind === "refused")
      this.#tools.logger.info({ broadcast: job.id, name }, changed.refusal.message);
  }
}

const pausing = (
  state: Broadcast | undefined,
  partner: string,
  { code, reason }: { readonly code: string; readonly reason: string },
  at: string,
): ReturnType<typeof decideCommand> =>
  decideCommand(state, partner, { name: "pause", code, reason: reason.slice(0, 1_000) }, at);

/** Everybody was sent to, failed or was skipped. */
export const isDone = ({ collected, audience, accepted, skipped, sent, failed }: Job): boolean =>
  collected && audience === accepted + skipped && sent + failed >= accepted;
