// What the README shows, compiled.
import type { RecordedEvent } from "@heliograph/log";
import { projector, startConsumers, type ServiceContext, type WritePart } from "../src/index.ts";

declare const context: ServiceContext;
declare function addToTotals(events: readonly RecordedEvent<"MessageSent">[]): WritePart;

export async function example(): Promise<void> {
  const counts = projector({
    kind: "projector",
    name: "counts",
    schema: "counts",
    types: ["MessageSent"],
    ddl: "create table if not exists {schema}.totals (partner text primary key, sent bigint not null)",
    create: () => ({ project: (events) => [addToTotals(events)] }), // WritePart: one set-based statement
  });
  const running = await startConsumers(context, [counts]);
  await running.stop();
}
