import { randomUUID } from "node:crypto";
import { type Environment, environments, uuid5 } from "@heliograph/contracts";
import { type ApiContext, type AuditEntry, type Hosted, unknownActor } from "@heliograph/api";
import { formatTime } from "@heliograph/domain";
import { atMost } from "@heliograph/runtime";
import type { DayHead } from "./chain.ts";
import { type NewRow, purgeAudit, writeAudit } from "../tables/audit.ts";
import { changesOf } from "./changes.ts";
import { type CountedEntry, Refusals } from "./refusals.ts";
import { logsOf, sealedRow } from "./sealed.ts";

const flushEveryMs = 200;
const retryEveryMs = 2_000;
const firstWithinMs = 1_000;
const countsEveryMs = 5_000;
const purgeEveryMs = 3_600_000;
const maxPerStatement = 1_000;
/** Some 4 MB. While the database is away that long, entries are lost, and counted. */
const maxWaiting = 10_000;
/** What whoever can write all of a database may take away unseen. 144 events and rows a day and process, where there is something to tell. */
const anchorEveryMs = 600_000;

type Waiting = CountedEntry & Pick<NewRow, "entry">;
type Lane = {
  readonly waiting: Waiting[];
  head?: DayHead;
  /** What was anchored last: the hash of the rows, and how far the environment's log was. */
  anchored?: string;
  sealed?: bigint | undefined;
};

/**
 * Who did what through the API, refused calls too. Written behind the answers, but for what stands nowhere else, so a crash may lose the last 200 ms of it, and a minute of what is only
 * counted; what was done is in the log with its actor and request id all the same.
 */
class AuditTrail {
  readonly #context: ApiContext;
  readonly #lanes: Readonly<Record<Environment, Lane>>;
  readonly #refusals = new Refusals();
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #anchoring: Promise<void> | undefined;

  constructor(context: ApiContext) {
    this.#context = context;
    this.#lanes = { live: { waiting: [] }, sandbox: { waiting: [] } };
  }

  /** Never throws. Resolves when it is written where that is to come first, or after a while: nobody's send fails for the audit. */
  record = (entry: AuditEntry, first: boolean): Promise<void> | void => {
    const refused = entry.outcome >= 400 && entry.outcome < 500;
    if (refused || entry.actor === unknownActor) this.#wait(this.#refusals.take(entry));
    else this.#wait([{ ...entry, count: 1 }]);
    if (first) return this.#written(this.#lanes[entry.environment].waiting.at(-1));
  };

  async #written(last: Waiting | undefined): Promise<void> {
    const isWaiting = (): boolean =>
      last !== undefined && this.#lanes[last.environment].waiting.includes(last);
    const writing = async (): Promise<void> => {
      // One that runs may be past this environment.
      for (let turn = 0; turn < 2 && isWaiting(); turn++) await this.flush();
    };
    await atMost(writing(), firstWithinMs);
  }

  /** Writes what was counted in minutes that are over. */
  count(nowMs: number): void {
    this.#wait(this.#refusals.ended(nowMs));
  }

  #wait(entries: readonly CountedEntry[]): void {
    for (const entry of entries) {
      const { waiting } = this.#lanes[entry.environment];
      if (waiting.length >= maxWaiting) this.#lost++;
      else waiting.push({ ...entry, entry: randomUUID() });
    }
    if (entries.length > 0) this.#schedule(flushEveryMs);
  }

  #schedule(delayMs: number): void {
    if (this.#flushing === undefined) this.#timer ??= setTimeout(() => void this.flush(), delayMs);
  }

  /** Writes what waits. Resolves also when a database is away; it is tried again then. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return (this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
      if (environments.some((environment) => this.#lanes[environment].waiting.length > 0))
        this.#schedule(retryEveryMs);
    }));
  }

  async #write(): Promise<void> {
    const { logger } = this.#context;
    for (const environment of environments) {
      const lane = this.#lanes[environment];
      const { waiting } = lane;
      try {
        while (waiting.length > 0) {
          const entries = waiting.slice(0, maxPerStatement);
          const rows = await this.#rowsOf(entries);
          lane.head = await writeAudit(this.#context.environments[environment].pool, rows);
          waiting.splice(0, entries.length);
        }
      } catch (error) {
        logger.warn({ err: error, environment, waiting: waiting.length }, "audit waits");
      }
    }
    if (this.#lost > 0) logger.error({ lost: this.#lost }, "audit entries were lost");
    this.#lost = 0;
  }

  async #rowsOf(entries: readonly Waiting[]): Promise<readonly NewRow[]> {
    const rows: NewRow[] = [];
    for (const entry of entries) {
      // The entry counts for more than what it changed, which the log keeps.
      const settled = await changesOf(this.#context, entry).catch(() => undefined);
      rows.push({ ...entry, ...settled });
    }
    return rows;
  }

  /** Has each keep what the other came to, the rows and the logs that the audit is read from. Resolves also when a database is away; it is tried again then. */
  anchor(): Promise<void> {
    return (this.#anchoring ??= this.#anchorAll().finally(() => {
      this.#anchoring = undefined;
    }));
  }

  async #anchorAll(): Promise<void> {
    for (const environment of environments)
      await this.#anchor(environment).catch((error: unknown) =>
        this.#context.logger.warn({ err: error, environment }, "the audit was not anchored"),
      );
  }

  async #anchor(environment: Environment): Promise<void> {
    const lane = this.#lanes[environment];
    await this.#seal(environment);
    const { head } = lane;
    if (head === undefined || head.rows === 0 || head.hash === lane.anchored) return;
    const { day, rows, hash } = head;
    const anchored_at = formatTime(Date.now());
    await this.#context.platformLog.append([
      {
        stream: `audit-${environment}`,
        expected: "any",
        events: [
          {
            id: uuid5("audit-anchored", environment, day, String(rows), hash),
            type: "AuditAnchored",
            data: { environment, day, rows, hash, anchored_at },
            metadata: { actor: "audit" },
          },
        ],
      },
    ]);
    lane.anchored = hash;
  }

  /** Writes what the logs came to, where there are rows or events since. That the platform's log went on is no reason: it does so with each anchor. */
  async #seal(environment: Environment): Promise<void> {
    const lane = this.#lanes[environment];
    const { environments: spaces, platformLog } = this.#context;
    const { pool, log } = spaces[environment];
    const own = (await log.seal())?.position;
    if (own === lane.sealed && lane.head?.hash === lane.anchored) return;
    const rows: NewRow[] = [];
    for (const each of logsOf(environment, log, platformLog)) {
      const seal = await each.log.seal();
      if (seal !== undefined) rows.push(sealedRow(environment, each.name, seal));
    }
    if (rows.length > 0) lane.head = await writeAudit(pool, rows);
    lane.sealed = own;
  }

  /** Writes what is left, once, and what it came to. */
  async close(): Promise<void> {
    this.count(Infinity);
    await this.#flushing;
    await this.flush();
    clearTimeout(this.#timer);
    await this.#anchoring;
    await this.anchor();
  }
}

/** Keeps the audit of a process that serves the API, and drops what is too old. */
export async function openAuditTrail(context: ApiContext): Promise<Hosted> {
  const trail = new AuditTrail(context);
  const counting = setInterval(() => trail.count(Date.now()), countsEveryMs);
  counting.unref();
  const purging = setInterval(() => {
    for (const environment of environments)
      purgeAudit(context.environments[environment].pool).catch((error: unknown) =>
        context.logger.warn({ err: error }, "old audit entries were not dropped"),
      );
  }, purgeEveryMs);
  purging.unref();
  const anchoring = setInterval(() => void trail.anchor(), anchorEveryMs);
  anchoring.unref();
  return {
    audited: trail.record,
    async close() {
      clearInterval(counting);
      clearInterval(purging);
      clearInterval(anchoring);
      await trail.close();
    },
  };
}
