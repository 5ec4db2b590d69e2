import { validateEvent, streamOf } from "@heliograph/contracts";
import { foldMessage, type MessageState } from "@heliograph/domain";
import { openPostgresLog, type Append, type EventLog } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import { testDatabase } from "@heliograph/testkit";
import pg from "pg";
import { expect } from "vitest";

export type Setting = {
  readonly context: ServiceContext;
  readonly log: EventLog;
  readonly pool: pg.Pool;
  /** Appends and gives the position of the last event. */
  append(...appends: Append[]): Promise<bigint>;
  state(messageId: string): Promise<MessageState>;
  types(messageId: string): Promise<readonly string[]>;
  close(): Promise<void>;
};

/** A real database with a real log that validates every event, as the services have it. */
export async function openSetting(): Promise<Setting> {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 4 });
  const log = await openPostgresLog({
    connection: database.config,
    namespace: "sandbox",
    validate: validateEvent,
  });
  const logger = { child: () => logger, info() {}, warn() {}, error() {}, debug() {} };
  const context = {
    environment: "sandbox",
    log,
    connection: database.config,
    pool,
    projectionPool: pool,
    logger,
    settings: { shutdownMs: 2000, retryScale: 1 },
  } as unknown as ServiceContext;
  const read = (messageId: string) => log.readStream(streamOf("message", messageId));
  return {
    context,
    log,
    pool,
    async append(...appends) {
      const outcomes = await log.append(appends);
      let last = 0n;
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ kind: "appended" });
        if (outcome.kind === "appended" && outcome.position > last) last = outcome.position;
      }
      return last;
    },
    state: async (messageId) => foldMessage(await read(messageId))!,
    types: async (messageId) => (await read(messageId)).map((event) => event.type),
    async close() {
      await log.close();
      await pool.end();
      await database.drop();
    },
  };
}
