import fc from "fast-check";
import {
  decideWallet,
  emptyWallet,
  evolveWallet,
  type Hold,
  noteHolds,
  startProof,
  type Proof,
  type Wallet,
  type WalletCause,
  type WalletRecord,
} from "../src/index.ts";

/** A wallet that decides batches and remembers its stream, as the wallet service does. */
export function openWallet() {
  let wallet: Wallet = emptyWallet;
  const holds = new Map<string, Hold>();
  const events: WalletRecord[] = [];
  const ignored: string[] = [];
  return {
    holds,
    events,
    ignored,
    balance: () => ({ available: wallet.available, held: wallet.held }),
    decide(causes: readonly WalletCause[]) {
      const decision = decideWallet(wallet, holds, causes);
      for (const event of decision.events) {
        wallet = evolveWallet(wallet, event);
        noteHolds(holds, event);
        const position = BigInt(1_000_000 + events.length);
        const id = `00000000-0000-5000-8000-${String(events.length).padStart(12, "0")}`;
        events.push({ ...event, id, position, metadata: {}, recordedAt: 0 });
      }
      ignored.push(...decision.ignored.map(({ reason }) => reason));
      return decision.events;
    },
  };
}

export const currency = "USD";
export const messageId = (number: number) => `msg_${String(number).padStart(26, "0")}`;
export const topup = (position: bigint, amount: string): WalletCause => ({
  kind: "topup",
  position,
  transaction_id: `wtx_${position}`,
  amount,
  currency,
});
export const hold = (position: bigint, number: number, amount: string): WalletCause => ({
  kind: "hold",
  position,
  message_id: messageId(number),
  amount,
  currency,
  on: "2026-05-23",
});
export const keep = (position: bigint, number: number, amount: string): WalletCause => ({
  kind: "keep",
  position,
  message_id: messageId(number),
  amount,
});
export const settle = (
  kind: "capture" | "return",
  position: bigint,
  number: number,
): WalletCause => ({
  kind,
  position,
  message_id: messageId(number),
});

/** Any story: top-ups, requests, and settlements of messages that may or may not have been requested before. */
export const stories = fc
  .array(
    fc.oneof(
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("topup" as const), amount: fc.nat(50) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("hold" as const),
          number: fc.nat(25),
          amount: fc.nat(20),
        }),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constantFrom("capture" as const, "return" as const, "keep" as const),
          number: fc.nat(25),
          amount: fc.nat(20),
        }),
      },
    ),
    { maxLength: 80 },
  )
  .map((steps) =>
    steps.map((step, index): WalletCause => {
      const position = BigInt(index + 1);
      if (step.kind === "topup") return topup(position, String(step.amount));
      if (step.kind === "hold") return hold(position, step.number, String(step.amount));
      return step.kind === "keep"
        ? keep(position, step.number, String(step.amount))
        : settle(step.kind, position, step.number);
    }),
  );

/** What the proof says of all these events, oldest first. */
export const proof = (events: Iterable<WalletRecord>): Proof => {
  const proving = startProof();
  for (const event of events) proving.add(event);
  return proving.result();
};

export function inBatches<Item>(items: readonly Item[], sizes: readonly number[]): Item[][] {
  const batches: Item[][] = [];
  for (let start = 0, turn = 0; start < items.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    batches.push(items.slice(start, start + size));
    start += size;
  }
  return batches;
}
export const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });
