import { deterministicId, newId, streamOf, uuid7 } from "@heliograph/contracts";
import {
  startProof,
  type Proof,
  type WalletEventType,
  type WalletRecord,
} from "@heliograph/domain";
import type { EventLog, NewEvent, RecordedEvent } from "@heliograph/log";
import type { Reactor, ReactorInstance, ServiceContext } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import { openWorld } from "@heliograph/testkit/world";
import { service } from "../src/index.ts";
import { walletLedger } from "../src/reactor.ts";

export const drivers = ["memory", "postgres"] as const;

/** The sandbox of a world with the wallet's tables, on the driver asked for. */
export async function openSandbox(driver: (typeof drivers)[number]) {
  const world = await openWorld({ services: [service], driver });
  const context: ServiceContext = world.platform.contexts.sandbox;
  const close = (): Promise<void> => {
    for (const ended of crashed.splice(0)) ended.abort();
    return world.close();
  };
  return { context, log: context.log, pool: context.pool, close };
}
/** Ledgers that were let go of: their timers end with the world. */
const crashed: AbortController[] = [];

export type Ledger = {
  /** Hands over everything after `after`, in batches of `size`, as a subscription would. */
  read(after?: bigint, size?: number): Promise<bigint>;
  readonly instance: ReactorInstance;
  readonly committed: bigint;
};

/** A ledger without the runtime: its checkpoint is kept in memory, so that letting go of it is a crash. */
export async function openLedger(
  context: ServiceContext,
  reactor: Reactor = walletLedger,
): Promise<Ledger> {
  let committed = 0n;
  const ended = new AbortController();
  crashed.push(ended);
  const instance = await reactor.start({
    context,
    schema: reactor.schema,
    epoch: 1,
    checkpoint: {
      dealt: () => undefined,
      get position() {
        return committed;
      },
      commit: async (position) => {
        committed = position;
      },
    },
    logger: context.logger,
    signal: ended.signal,
    stopping: new AbortController().signal,
    fail: (error) => {
      throw error;
    },
  });
  return {
    instance,
    get committed() {
      return committed;
    },
    async read(after = 0n, size = 500) {
      const head = await context.log.head();
      for (let position = after; position < head;) {
        const page = await context.log.readAll({
          after: position,
          limit: size,
          types: reactor.types,
        });
        position = page.position;
        await instance.handle({ ...page, caughtUp: position >= page.head });
      }
      return head;
    },
  };
}

const message = { channel: "sms" as const, to: "+15551230001" };
const failure = { code: "recipient_unreachable", class: "recipient" as const, permanent: true };
const time = "2026-05-23T14:22:17.000Z";

/** A partner and what happens to its messages. `number` names a message. */
export function partnerOn(log: EventLog, partner = newId("ptn")) {
  const cost = "0.012";
  const currency = "USD";
  const idOf = (number: number): string => deterministicId("msg", partner, String(number));
  const append = async (
    stream: string,
    type: string,
    data: object,
    expected: "any" | "no_stream" | number = "any",
  ): Promise<void> => {
    const event: NewEvent = { id: uuid7(), type, data, metadata: { partner, actor: "test" } };
    const [outcome] = await log.append([{ stream, expected, events: [event] }]);
    if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
  };
  const onMessage = (
    number: number,
    type: string,
    data: object,
    expected: "any" | "no_stream" | number = "any",
  ): Promise<void> =>
    append(
      streamOf("message", idOf(number)),
      type,
      { message_id: idOf(number), ...data },
      expected,
    );
  return {
    partner,
    idOf,
    topUp: (amount: string): Promise<void> => {
      const transaction_id = newId("wtx");
      return append(
        streamOf("topup", transaction_id),
        "TopupRequested",
        { transaction_id, amount, currency },
        "no_stream",
      );
    },
    setTerms: (terms: object): Promise<void> =>
      append(streamOf("terms", partner), "WalletTermsSet", {
        partner_id: partner,
        currency,
        terms,
        set_at: time,
      }),
    request: (number: number, expires_at = "2099-01-01T00:00:00.000Z"): Promise<void> =>
      onMessage(
        number,
        "MessageRequested",
        {
          channel: "sms",
          to: message.to,
          content: { text: "hello" },
          category: "transactional",
          priority: 1,
          expires_at,
          cost,
          currency,
          price: { list: "default", version: 1, country: "1", per_segment: cost },
          segments: { count: 1, encoding: "GSM-7", characters: 5 },
          created_at: time,
        },
        "no_stream",
      ),
    /** `expected`: the revision that its message has, where it may have company. */
    sent: (number: number, expected: number | "any" = "any"): Promise<void> => {
      const sent = {
        message,
        attempt: 1,
        attempt_id: newId("atp"),
        gateway: "sim-sms",
        gateway_kind: "simulator",
        choice: { reason: "only one" },
        provider: { name: "simulator", message_id: String(number), status: "accepted" },
        cost,
        currency,
      };
      return onMessage(number, "MessageSent", sent, expected);
    },
    exhausted: (number: number): Promise<void> =>
      onMessage(number, "DispatchExhausted", {
        message,
        attempts: 5,
        error: failure,
        cost,
        currency,
        reason: "permanent",
      }),
    undelivered: (number: number): Promise<void> =>
      onMessage(number, "DeliveryFailed", {
        message,
        attempts: 1,
        error: failure,
        cost,
        currency,
      }),
    canceled: (number: number): Promise<void> =>
      onMessage(number, "MessageCanceled", { message, cost, currency }),
    events: () => walletEvents(log, partner),
    proof: async () => proof(await walletEvents(log, partner)),
  };
}

async function walletEvents(
  log: EventLog,
  partner: string,
): Promise<readonly RecordedEvent<WalletEventType>[]> {
  return log.readStream(streamOf("wallet", partner), { limit: 10_000 });
}

/** Numbers from 0 up to, not including, `count`. */
export const range = (count: number): readonly number[] => [...Array(count).keys()];

/** How many messages a wallet's events of that type name. */
export const count = (events: readonly RecordedEvent[], type: string): number =>
  events
    .filter((event) => event.type === type)
    .reduce((sum, { data }) => sum + loosely(data).entries.length, 0);

/** What the proof says of all these events, oldest first. */
const proof = (events: Iterable<WalletRecord>): Proof => {
  const proving = startProof();
  for (const event of events) proving.add(event);
  return proving.result();
};
