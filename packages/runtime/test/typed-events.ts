// Read by the check of types alone: each line that must not compile says so.
import { streamOf } from "@heliograph/contracts";
import { ofType, type EventLog, type RecordedEvent } from "@heliograph/log";
import { projector, reactor } from "../src/index.ts";

export async function typedReads(log: EventLog, signal: AbortSignal): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const { events } of log.subscribe({ after: 0n, types: ["MessageSent"], signal }))
    for (const { data } of events) {
      seen.push(data.attempt satisfies number);
      // @ts-expect-error -- a field of another type of event
      seen.push(data.refund);
    }
  for (const { type, data } of await log.readStream(streamOf("wallet", "ptn_1"))) {
    seen.push(data.available satisfies string);
    if (type === "FundsDeclined") seen.push(data.reason);
    // @ts-expect-error -- no event of a wallet
    if (type === "MessageSent") seen.push(data);
  }
  const { events } = await log.readAll({ after: 0n, limit: 1 });
  // @ts-expect-error -- nothing is known before the type is
  seen.push(events[0]!.data.attempt);
  seen.push(events.filter(ofType("MessageSent", "MessageResent")).map(({ data }) => data.attempt));
  // @ts-expect-error -- no such type
  await log.readAll({ after: 0n, limit: 1, types: ["MessageSend"] });
  return seen;
}

export const typedProjector = projector({
  kind: "projector",
  name: "typed",
  schema: "typed",
  types: ["KeyIssued", "KeyRevoked"],
  ddl: "",
  create: () => ({
    project(events) {
      events satisfies readonly RecordedEvent<"KeyIssued" | "KeyRevoked">[];
      return [{ name: "typed", sql: "", values: events.map(({ data }) => data.key_id) }];
    },
  }),
});

export const typedReactor = reactor({
  kind: "reactor",
  name: "typed",
  schema: "typed",
  types: ["KeyRevoked"],
  migrations: [],
  start: () => ({
    async handle({ events }) {
      // @ts-expect-error -- not among its types
      if (events[0]!.type === "KeyIssued") return;
      events[0]!.data.key_id satisfies string;
    },
    stop: async () => undefined,
  }),
});
