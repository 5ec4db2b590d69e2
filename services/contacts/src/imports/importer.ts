import { failpoint } from "@heliograph/contracts";
import { reactor, type ReactorTools } from "@heliograph/runtime";
import {
  type Job,
  dropAbandoned,
  openJobs,
  progressParts,
  readFilesLeft,
  spacesOfImports,
} from "../tables/imports.ts";
import { applyRows } from "./apply.ts";
import type { RowOutcome } from "./plan.ts";
import { forgetFile, readFile } from "./file.ts";
import { FileBroken } from "./found.ts";
import { type ImportRow, readRows } from "./rows.ts";

/** Rows between two counts: what is done again after a crash, and what memory holds of a file. */
const batchRows = 1_000;
/** Of so many partners at once, so that a million rows of one do not hold up the ten of another. */
const maxAtOnce = 4;
/** Of one import; the count of what failed goes on. */
const maxErrors = 100_000;

/**
 * Runs imports, one of each partner at a time. A file's rows are applied in batches, and what became of each batch is counted in the statement that also proves that this
 * process is still the one that runs imports: a row is counted once, whoever is killed when.
 */
export const importsReactor = reactor({
  kind: "reactor",
  name: "contact-imports",
  schema: "contact_importer",
  types: ["ContactImportRequested"],
  spaces: spacesOfImports,
  migrations: [],
  async start(tools) {
    const importer = new Importer(tools);
    await importer.start();
    return {
      async handle({ events, position }) {
        if (events.length > 0) importer.wake();
        // The table has what is to be done; an event only tells that there is something.
        await tools.checkpoint.commit(position);
      },
      stop: (deadlineMs) => importer.stop(deadlineMs),
    };
  },
});

class Importer {
  readonly #tools: ReactorTools;
  readonly #running = new Map<string, Promise<void>>();
  readonly #stopping = new AbortController();
  #looking: Promise<void> = Promise.resolve();

  constructor(tools: ReactorTools) {
    this.#tools = tools;
  }

  async start(): Promise<void> {
    const { pool } = this.#tools.context;
    for (const { partner, upload } of await readFilesLeft(pool))
      await forgetFile(this.#tools.context, partner, { upload });
    await dropAbandoned(pool);
    this.wake();
  }

  wake(): void {
    this.#looking = this.#looking.then(() => this.#look()).catch(this.#tools.fail);
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
    await Promise.race([Promise.all([this.#looking, ...this.#running.values()]), late]);
    clearTimeout(timer);
  }

  get #ending(): boolean {
    return this.#stopping.signal.aborted || this.#tools.signal.aborted;
  }

  /** The sandbox was reset since: the import goes with its space. */
  #isOver({ partner }: Job): boolean {
    const { directory, environment } = this.#tools.context;
    return directory.isOver(environment, partner);
  }

  async #look(): Promise<void> {
    if (this.#ending) return;
    for (const job of await openJobs(this.#tools.context.pool, maxAtOnce)) {
      if (this.#running.has(job.id) || this.#running.size >= maxAtOnce) continue;
      if (this.#isOver(job)) continue;
      const running = this.#run(job)
        .then(() => {
          this.#running.delete(job.id);
          this.wake();
        })
        .catch(this.#tools.fail);
      this.#running.set(job.id, running);
    }
  }

  async #run(job: Job): Promise<void> {
    const { context, logger } = this.#tools;
    let { failed } = job;
    try {
      for await (const rows of batches(
        readRows(job.format, readFile(context, job.partner, job)),
        job.rows,
      )) {
        if (this.#ending || this.#isOver(job)) return;
        const outcomes = await applyRows(context, job, rows);
        await failpoint("contacts.import.applied");
        await this.#count(job, rows, outcomes, failed);
        await failpoint("contacts.import.counted");
        failed += outcomes.filter(isFault).length;
      }
      if (this.#ending || this.#isOver(job)) return;
      await this.#end(job, { status: "done" });
    } catch (error) {
      if (this.#isOver(job)) return;
      if (!(error instanceof FileBroken)) throw error;
      await this.#end(job, { status: "failed", error: error.message });
    }
    await failpoint("contacts.import.ended");
    await forgetFile(context, job.partner, job);
    logger.info({ import: job.id, partner: job.partner }, "import ended");
  }

  async #count(
    job: Job,
    rows: readonly ImportRow[],
    outcomes: readonly RowOutcome[],
    failedBefore: number,
  ): Promise<void> {
    const count = (kind: string): number => outcomes.filter((each) => each === kind).length;
    const errors = outcomes.flatMap((each, index) => {
      const { row, line } = rows[index]!;
      return isFault(each) ? [{ row, line, ...each }] : [];
    });
    const counts = {
      created: count("created"),
      updated: count("updated"),
      skipped: count("skipped"),
      failed: errors.length,
    };
    const kept = errors.slice(0, Math.max(0, maxErrors - failedBefore));
    await this.#commit(progressParts(job.id, rows.length, counts, kept));
  }

  #end(job: Job, end: Parameters<typeof progressParts>[4]): Promise<void> {
    const none = { created: 0, updated: 0, skipped: 0, failed: 0 };
    return this.#commit(progressParts(job.id, 0, none, [], end));
  }

  #commit(parts: ReturnType<typeof progressParts>): Promise<void> {
    const { checkpoint } = this.#tools;
    return checkpoint.commit(checkpoint.position, parts);
  }
}

const isFault = (outcome: RowOutcome): outcome is Exclude<RowOutcome, string> =>
  typeof outcome !== "string";

/** Rows behind those that are taken already, some at a time. Those before an error come before it. */
async function* batches(
  rows: AsyncIterable<ImportRow>,
  taken: number,
): AsyncGenerator<readonly ImportRow[]> {
  let batch: ImportRow[] = [];
  let broken: FileBroken | undefined;
  try {
    for await (const row of rows) {
      if (row.row <= taken) continue;
      batch.push(row);
      if (batch.length < batchRows) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    if (!(error instanceof FileBroken)) throw error;
    broken = error;
  }
  if (batch.length > 0) yield batch;
  if (broken !== undefined) throw broken;
}
