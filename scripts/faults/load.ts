import { setTimeout as pause } from "node:timers/promises";
import { acceptedAnswer, type Journal, type Send } from "./journal.ts";
import type { Random } from "./random.ts";
import type { Tenant } from "./world.ts";

/** A recipient's digits or local part, and the status that a message to it ends with on sms and on e-mail; `filtered`: it is sent, and then the provider reports that it was not delivered, and charges for it. */
const outcomes: readonly (readonly [string, string, string, string, number])[] = [
  ["0001", "delivered", "delivered", "delivered", 40],
  ["0002", "sent-only", "sent", "sent", 5],
  ["0002", "sent-only", "filtered", "sent", 6],
  ["0003", "unreachable", "failed", "failed", 8],
  ["0004", "flaky", "delivered", "delivered", 8],
  ["0005", "exhausted", "failed", "failed", 5],
  ["0006", "bounced", "failed", "bounced", 8],
  ["0007", "soft-bounced", "delivered", "delivered", 8],
  ["0009", "duplicate-receipts", "delivered", "delivered", 6],
  ["0010", "contradictory", "delivered", "delivered", 6],
  ["0011", "suppressed", "refused", "refused", 3],
  ["0012", "uncertain", "delivered", "delivered", 3],
];
const weighted = outcomes.flatMap((outcome) => Array<typeof outcome>(outcome[4]).fill(outcome));

/** Retries of one send: with the pause below they outlast every fault. */
const callTimeoutMs = 15_000;
const retryPauseMs = 150;

export type Load = {
  /** Starts nothing new and waits until every send with a key has its answer. */
  finish(): Promise<void>;
  readonly accepted: number;
};

/** Sends of several partners in both environments, some at a time, until it is finished. */
export function startLoad(
  tenants: readonly Tenant[],
  journal: Journal,
  options: {
    readonly random: Random;
    readonly callers: number;
    readonly ratePerSecond: number;
    readonly baseUrl: () => string;
  },
): Load {
  const { random } = options;
  let stopped = false;
  let accepted = 0;
  const stopAt = (): boolean => stopped;

  async function caller(): Promise<void> {
    while (!stopped) {
      const startedAt = performance.now();
      const tenant = random.pick(tenants);
      const send = newSend(tenant, journal.sends.length, random);
      journal.sends.push(send);
      await settle(send, tenant, options.baseUrl);
      if (acceptedAnswer(send)) accepted++;
      if (send.isFiltered) await filter(send, tenant, options.baseUrl);
      // A retry of what was answered long ago must give the same answer.
      if (send.key !== undefined && random.chance(0.2)) await settle(send, tenant, options.baseUrl);
      const again = random.pick(journal.sends);
      const owner = tenants.find(
        ({ partner, environment }) =>
          partner === again.partner && environment === again.environment,
      );
      if (owner && again.settled && again.key !== undefined && random.chance(0.1))
        await settle(again, owner, options.baseUrl);
      const restMs =
        (1_000 * options.callers) / options.ratePerSecond - (performance.now() - startedAt);
      if (restMs > 0 && !stopAt()) await pause(restMs);
    }
  }

  const callers = Array.from({ length: options.callers }, caller);
  return {
    async finish() {
      stopped = true;
      await Promise.all(callers);
    },
    get accepted() {
      return accepted;
    },
  };
}

function newSend(tenant: Tenant, number: number, random: Random): Send {
  const ref = `${tenant.partner.slice(-6)}-${tenant.environment}-${number}`;
  const common = {
    partner: tenant.partner,
    environment: tenant.environment,
    key: random.chance(0.85) ? `k-${ref}` : undefined,
  };
  const fresh = { answers: [], broken: 0, settled: false };
  if (tenant.environment === "live") {
    const body = random.chance(0.5)
      ? { channel: "whatsapp", to: `+1555${1_000_000 + number}`, text: "Hello", client_ref: ref }
      : {
          channel: "email",
          to: `r${number}@example.org`,
          from: "orders@example.com",
          subject: ref,
          text: "Hello",
          client_ref: ref,
        };
    return {
      ref,
      ...common,
      ...fresh,
      body,
      expected: body.channel === "whatsapp" ? "delivered" : undefined,
    };
  }
  const [digits, local, phone, mail] = random.pick(weighted);
  if (random.chance(0.3)) {
    const body = {
      channel: "email",
      to: `${local}+${number}@example.org`,
      subject: ref,
      text: "Hello",
      client_ref: ref,
    };
    return { ref, ...common, ...fresh, body, expected: mail };
  }
  const channel = random.pick(["sms", "whatsapp"]);
  const body = {
    channel,
    to: `+1555${String(number % 1000).padStart(3, "0")}${digits}`,
    text: "Hello",
    client_ref: ref,
  };
  return phone === "filtered"
    ? { ref, ...common, ...fresh, body, expected: "sent", isFiltered: true }
    : { ref, ...common, ...fresh, body, expected: phone };
}

/** Posts once when there is no key, else until there is an answer that a retry would not change. */
async function settle(send: Send, tenant: Tenant, baseUrl: () => string): Promise<void> {
  for (;;) {
    const status = await post(send, tenant, baseUrl());
    if (status !== undefined && status < 500 && status !== 409 && status !== 429) break;
    if (send.key === undefined) break;
    await pause(retryPauseMs);
  }
  send.settled = true;
}

/** Plays the provider's report once the message is sent, until it is taken; a release that knows none such refuses it, and the message stays sent. */
async function filter(send: Send, tenant: Tenant, baseUrl: () => string): Promise<void> {
  const id = acceptedAnswer(send)?.id;
  if (id === undefined) return;
  const headers = { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" };
  const report = { message_id: id, status: "undelivered", code: "filtered", billable: true };
  const call = async (path: string, init: RequestInit = {}): Promise<Response | undefined> =>
    fetch(`${baseUrl()}/api/v1${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(callTimeoutMs),
    }).catch(() => undefined);
  for (;;) {
    const shown = await call(`/messages/${id}`);
    const message = (await shown?.json().catch(() => undefined)) as { status?: string } | undefined;
    if (message?.status === "sent") {
      const body = JSON.stringify(report);
      const answer = await call("/sandbox/receipts", { method: "POST", body });
      await answer?.body?.cancel();
      if (answer?.status === 202) send.expected = "failed";
      if (answer?.status === 202 || answer?.status === 422) return;
    } else if (message?.status === "failed") {
      // A report whose answer was lost was taken.
      send.expected = "failed";
      return;
    }
    await pause(retryPauseMs);
  }
}

async function post(send: Send, tenant: Tenant, baseUrl: string): Promise<number | undefined> {
  try {
    const answer = await fetch(`${baseUrl}/api/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${tenant.key}`,
        "content-type": "application/json",
        ...(send.key !== undefined && { "idempotency-key": send.key }),
      },
      body: JSON.stringify(send.body),
      signal: AbortSignal.timeout(callTimeoutMs),
    });
    const text = await answer.text();
    const id = answer.status === 202 ? (JSON.parse(text).id as string) : undefined;
    const retryAfter = answer.headers.get("retry-after");
    send.answers.push({ status: answer.status, text, id, retryAfter });
    if (answer.status === 503 && text.includes("not known whether")) send.broken++;
    return answer.status;
  } catch {
    send.broken++;
    return undefined;
  }
}
