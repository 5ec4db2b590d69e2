import { setTimeout as pause } from "node:timers/promises";
import { apiClient, webhookSink, type ApiClient, type WebhookSink } from "@heliograph/testkit";
import { countsOf } from "../faults/log.ts";
import type { World } from "../faults/world.ts";

/**
 * The partner that makes most of the load. Of each of its messages nothing is kept but that it was accepted; what became of all is counted in the log, so that millions can be
 * told from one lost and from one too many.
 */
export type Bulk = {
  readonly partner: string;
  readonly accepted: number;
  /** Of the answers since the last call, in milliseconds. */
  takeTimes(): readonly number[];
  /** Sends until `stop`, at most `ratePerSecond`; without it as fast as answers come. */
  run(callers: number, ratePerSecond?: number): { stop(): Promise<void> };
  /** A sentence for each count that does not agree. */
  check(): Promise<readonly string[]>;
  close(): Promise<void>;
};

const callTimeoutMs = 15_000;
/** A proof reads all of a wallet: two events of each message, of which an engine may have some thousand a second. */
const proofMs = 280_000;
const retryPauseMs = 200;
const funds = "1000000000";

export async function openBulk(world: World): Promise<Bulk> {
  const sink = await webhookSink();
  /** Ids of `message.delivered` that were answered with 204, and how many came again. */
  const told = new Set<string>();
  let again = 0;
  sink.behave(({ headers }) => {
    const id = String(headers["webhook-id"]);
    if (told.has(id)) again++;
    else told.add(id);
    return { type: "answer", status: 204 };
  });
  const { partner, key } = await newPartner(world, sink);
  let accepted = 0;
  let times: number[] = [];

  async function send(number: number): Promise<void> {
    for (;;) {
      const startedAt = performance.now();
      const status = await post(world, key, number);
      if (status === 202) {
        accepted++;
        times.push(performance.now() - startedAt);
        return;
      }
      await pause(retryPauseMs);
    }
  }

  let number = 0;
  return {
    partner,
    get accepted() {
      return accepted;
    },
    takeTimes() {
      const taken = times;
      times = [];
      return taken;
    },
    run(callers, ratePerSecond) {
      let stopped = false;
      const everyMs = ratePerSecond === undefined ? 0 : (1_000 * callers) / ratePerSecond;
      const caller = async (): Promise<void> => {
        for (let due = performance.now() + Math.random() * everyMs; !stopped; due += everyMs) {
          // What a fault held up is not made good at once: that would be another load than the one asked for.
          due = Math.max(due, performance.now() - everyMs);
          const waitMs = due - performance.now();
          if (waitMs > 0) await pause(waitMs);
          await send(number++);
        }
      };
      // A refusal is told at the stop: until then nobody waits for it.
      const running = Promise.allSettled(Array.from({ length: callers }, caller));
      return {
        async stop() {
          stopped = true;
          for (const ended of await running) if (ended.status === "rejected") throw ended.reason;
        },
      };
    },
    check: () => check(world, partner, key, { accepted, told: told.size, again }),
    close: () => sink.close(),
  };
}

async function newPartner(
  world: World,
  sink: WebhookSink,
): Promise<{ partner: string; key: string }> {
  const made = await world.admin().post("/admin/partners", {
    name: "Bulk",
    rate_limit: { requests: 1_000_000, window_seconds: 1 },
  });
  if (made.status !== 201) throw new Error(`partner: ${made.status} ${made.text}`);
  const { id: partner, keys } = made.body as { id: string; keys: { sandbox: string } };
  const client = apiClient(world.instance.baseUrl, keys.sandbox, { checked: false });
  const topup = await client.post("/wallet/topups", { amount: funds });
  if (topup.status !== 201) throw new Error(`top-up: ${topup.status} ${topup.text}`);
  const endpoint = await client.post("/webhook-endpoints", {
    url: `${sink.url}/bulk`,
    event_types: ["message.delivered"],
  });
  if (endpoint.status !== 201) throw new Error(`endpoint: ${endpoint.status} ${endpoint.text}`);
  return { partner, key: keys.sandbox };
}

/** Undefined where no answer came: the key makes a retry safe. */
async function post(world: World, key: string, number: number): Promise<number | undefined> {
  try {
    const answer = await fetch(`${world.instance.baseUrl}/api/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "idempotency-key": `bulk-${number}`,
      },
      body: JSON.stringify({
        channel: "sms",
        to: `+1555${String(number % 1_000).padStart(3, "0")}0001`,
        text: "Your parcel is on its way.",
      }),
      signal: AbortSignal.timeout(callTimeoutMs),
    });
    await answer.arrayBuffer();
    if (answer.status >= 400 && answer.status < 500 && ![409, 429].includes(answer.status))
      throw new Refused(`a send of the soak was refused with ${answer.status}`);
    return answer.status;
  } catch (error) {
    if (error instanceof Refused) throw error;
    return undefined;
  }
}
class Refused extends Error {}

async function check(
  world: World,
  partner: string,
  key: string,
  client: { readonly accepted: number; readonly told: number; readonly again: number },
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const equal = (what: string, count: number): void => {
    if (count !== client.accepted)
      wrong.push(`of ${client.accepted} accepted messages the log has ${count} ${what}`);
  };
  const counts = await countsOf(world, "sandbox", partner);
  const count = (type: string): number => counts.get(type) ?? 0;
  equal("requests", count("MessageRequested"));
  equal("that were sent", count("MessageSent"));
  equal("that were delivered", count("MessageDelivered"));
  if (count("MessageFailed") > 0) wrong.push(`${count("MessageFailed")} messages failed`);
  if (client.told !== client.accepted)
    wrong.push(`the webhook was told of ${client.told} of ${client.accepted} deliveries`);
  // Each interruption may repeat what was in the air: at most what one copy has in the air.
  const most = world.journal.interruptions * 500;
  if (client.again > most)
    wrong.push(`the webhook got ${client.again} events again, of ${most} that faults explain`);
  const patient = { checked: false, timeoutMs: proofMs };
  const api: ApiClient = apiClient(world.instance.baseUrl, key, patient);
  const proof = (await api.get("/wallet/proof")).body;
  if (proof.matches !== true) wrong.push(`the ledger does not add up: ${JSON.stringify(proof)}`);
  const balance = (await api.get("/balance")).body;
  if (Number(balance.held) !== 0) wrong.push(`${balance.held} are still held`);
  return wrong;
}
