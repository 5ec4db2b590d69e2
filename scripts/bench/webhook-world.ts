import { setTimeout as pause } from "node:timers/promises";
import { deterministicId, newId, sealSecret, streamOf, uuid7 } from "@heliograph/contracts";
import { openPostgresLog, type Append, type EventLog } from "@heliograph/log";
import { readSettings, startConsumers, type ServiceContext } from "@heliograph/runtime";
import { service as webhooks } from "../../services/webhooks/src/index.ts";
import { openBenchEnvironment } from "./environment.ts";

/** A busy machine is slow, and what is slower than this hangs. */
const reachedWithinMs = 120_000;

/** The secret of every endpoint: 24 bytes, as the product makes them. */
export const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

export type WebhookWorld = Awaited<ReturnType<typeof openWebhookWorld>>;

/** The consumer of webhooks as a process runs it, on a log and a database of its own, with one endpoint for each of some partners. */
export async function openWebhookWorld(databaseUrl: string, name: string, urls: readonly string[]) {
  const made = await openBenchEnvironment(databaseUrl, name);
  const settings = readSettings({ HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" });
  const context: ServiceContext = { ...made.context, settings };
  const { log, masterKey } = context;
  const partners = urls.map(() => newId("ptn"));
  const endpoints = urls.map(() => newId("whe"));
  await appendAll(
    log,
    urls.map((url, index) =>
      appendOf(
        partners[index]!,
        streamOf("endpoint", endpoints[index]!),
        "WebhookEndpointCreated",
        {
          endpoint_id: endpoints[index]!,
          url,
          secret: sealSecret(masterKey, secret),
          created_at: new Date().toISOString(),
        },
      ),
    ),
  );
  const consumer = webhooks.consumers!(context).find(({ name: own }) => own === "webhooks")!;
  return {
    context,
    partners,
    endpoints,
    /** A fresh log instance each time: what was appended before is read, not handed over from memory. */
    async start() {
      const { connection } = context;
      const reader = await openPostgresLog({ connection, namespace: "bench" });
      const running = await startConsumers({ ...context, log: reader }, [consumer]);
      const status = running.statuses[0]!;
      return {
        /** All events up to here are on record: delivered, or pending. */
        async reached(position: bigint): Promise<void> {
          for (const end = performance.now() + reachedWithinMs; status.position < position;) {
            if (performance.now() > end || status.lastError !== undefined)
              throw new Error(`at ${status.position} of ${position}: ${status.lastError}`);
            await pause(5);
          }
        },
        async stop() {
          await running.stop();
          await reader.close();
        },
      };
    },
    close: made.close,
  };
}

export const appendOf = (
  partner: string,
  stream: string,
  type: "WebhookEndpointCreated" | "MessageCanceled",
  data: object,
): Append => ({
  stream,
  expected: "any",
  events: [{ id: uuid7(), type, data, metadata: { partner, actor: "bench" } }],
});

/** An event that partners are told of, some 450 bytes as JSON; `at` is kept in it with its fractions of a millisecond. */
export function eventOf(partner: string, at?: number): Append {
  const message_id = newId("msg");
  const message = {
    channel: "sms",
    to: "+15551234567",
    client_ref: String(at ?? "order-204821"),
    metadata: { campaign: deterministicId("msg", partner), warehouse: "zurich-4" },
  };
  return appendOf(partner, streamOf("message", message_id), "MessageCanceled", {
    message_id,
    message,
    cost: "0",
    currency: "USD",
  });
}

/** Throws what kept an append out of the log. */
export async function appendAll(log: EventLog, appends: readonly Append[]): Promise<void> {
  for (const outcome of await log.append([...appends]))
    if (outcome.kind !== "appended") throw new Error(JSON.stringify(outcome));
}
