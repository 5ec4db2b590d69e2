import { type Environment, environments } from "@heliograph/contracts";
import type pg from "pg";
import type { Logger } from "pino";
import type { ApiContext, AuditEntry, Hosted } from "@heliograph/api";
import { purgeAudit, writeAudit } from "./tables/audit.ts";

const flushEveryMs = 200;
const retryEveryMs = 2_000;
const purgeEveryMs = 3_600_000;
const maxPerStatement = 1_000;
/** Some 4 MB. While the database is away that long, entries are lost, and counted. */
const maxWaiting = 10_000;

/**
 * Who did what through the API, refused calls too. Written behind the answers, so a crash may lose the last 200 ms of it; what was done is
 * in the log with its actor and request id all the same.
 */
class AuditTrail {
  readonly #pools: Readonly<Record<Environment, { readonly pool: pg.Pool }>>;
  readonly #logger: Logger;
  readonly #waiting: Readonly<Record<Environment, AuditEntry[]>> = { live: [], sandbox: [] };
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;

  constructor(pools: Readonly<Record<Environment, { readonly pool: pg.Pool }>>, logger: Logger) {
    this.#pools = pools;
    this.#logger = logger;
  }

  /** Never throws and never waits. */
  record = (entry: AuditEntry): void => {
    const waiting = this.#waiting[entry.environment];
    if (waiting.length >= maxWaiting) this.#lost++;
    else waiting.push(entry);
    this.#schedule(flushEveryMs);
  };

  #schedule(delayMs: number): void {
    if (this.#flushing === undefined) this.#timer ??= setTimeout(() => void this.flush(), delayMs);
  }

  /** Writes what waits. Resolves also when a database is away; it is tried again then. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return (this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
      if (environments.some((environment) => this.#waiting[environment].length > 0))
        this.#schedule(retryEveryMs);
    }));
  }

  async #write(): Promise<void> {
    for (const environment of environments) {
      const waiting = this.#waiting[environment];
      try {
        while (waiting.length > 0) {
          const entries = waiting.slice(0, maxPerStatement);
          await writeAudit(this.#pools[environment].pool, entries);
          waiting.splice(0, entries.length);
        }
      } catch (error) {
        this.#logger.warn({ err: error, environment, waiting: waiting.length }, "audit waits");
      }
    }
    if (this.#lost > 0) this.#logger.error({ lost: this.#lost }, "audit entries were lost");
    this.#lost = 0;
  }

  /** Writes what is left, once. */
  async close(): Promise<void> {
    await this.#flushing;
    await this.flush();
    clearTimeout(this.#timer);
  }
}

/** Keeps the audit of a process that serves the API, and drops what is too old. */
export async function openAuditTrail({ environments: all, logger }: ApiContext): Promise<Hosted> {
  const trail = new AuditTrail(all, logger);
  const purging = setInterval(() => {
    for (const environment of environments)
      purgeAudit(all[environment].pool).catch((error: unknown) =>
        logger.warn({ err: error }, "old audit entries were not dropped"),
      );
  }, purgeEveryMs);
  purging.unref();
  return {
    audited: trail.record,
    async close() {
      clearInterval(purging);
      await trail.close();
    },
  };
}
