import { streamOf } from "@heliograph/contracts";
import { foldMessage, type MessageState } from "@heliograph/domain";
import type { Append, EventLog } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import { openWorld } from "@heliograph/testkit/world";
import type pg from "pg";
import { expect } from "vitest";
import { service } from "../src/index.ts";

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
  const world = await openWorld({ services: [service], driver: "postgres" });
  const context: ServiceContext = world.platform.contexts.sandbox;
  const { log } = context;
  const read = (messageId: string) => log.readStream(streamOf("message", messageId));
  return {
    context,
    log,
    pool: context.pool,
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
    close: () => world.close(),
  };
}
