import { streamOf, uuid7 } from "@heliograph/contracts";
import { type EventLog, openMemoryLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { Funds } from "../src/messages/funds.ts";

const partner = "ptn_01HNQX2P8Y9R3T4V5W6Z7A8B9C";
const stream = streamOf("wallet", partner);
const on = "2026-05-23";

async function walletOf(available: string) {
  const log = openMemoryLog();
  const book = async (type: string, left: string, entries: object[] = []): Promise<void> => {
    const data = { covers: "0", available: left, held: "0", currency: "USD", entries };
    const event = { id: uuid7(), type, data, metadata: { partner } };
    await log.append([{ stream, expected: "any", events: [event] }]);
  };
  await book("FundsToppedUp", available);
  const newest = async () => (await log.readStream(stream, { backwards: true, limit: 1 }))[0]!;
  return { log, book, newest };
}

test("what is set aside counts until the wallet decides, and never longer than ten seconds", async () => {
  const { log } = await walletOf("1");
  let now = 0;
  const funds = new Funds(log, () => now);
  expect(await funds.reserve(partner, "msg_1", 600_000n, on)).toBe("reserved");
  now = 5_000;
  expect(await funds.reserve(partner, "msg_2", 400_000n, on)).toBe("reserved");
  now = 9_999;
  expect(await funds.reserve(partner, "msg_3", 1n, on)).toBe("insufficient_funds");
  // A wallet that stands must not stop sends: the first is forgotten, the second not yet.
  now = 10_001;
  expect(await funds.short(partner, 600_000n, on)).toBeUndefined();
  expect(await funds.short(partner, 600_001n, on)).toBe("insufficient_funds");
  now = 15_001;
  expect(await funds.short(partner, 1_000_000n, on)).toBeUndefined();
});

test("a decision of the wallet takes the place of what was set aside", async () => {
  const { log, book, newest } = await walletOf("1");
  const funds = new Funds(log, () => 0);
  expect(await funds.reserve(partner, "msg_1", 600_000n, on)).toBe("reserved");
  await book("FundsHeld", "0.4", [{ message_id: "msg_1", amount: "0.6" }]);
  funds.seen(await newest());
  expect(await funds.short(partner, 400_000n, on)).toBeUndefined();
  expect(await funds.short(partner, 400_001n, on)).toBe("insufficient_funds");
});

test("an event that comes while its wallet is being read is not lost", async () => {
  const { log, book, newest } = await walletOf("1");
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: wasRead, resolve: read } = Promise.withResolvers<void>();
  const slow: EventLog = {
    ...log,
    readStream: async (...given) => {
      const events = await log.readStream(...given);
      read();
      await gate;
      return events;
    },
    forPartner: () => slow,
  };
  const funds = new Funds(slow, () => 0);
  const asked = funds.short(partner, 500_001n, on);
  await wasRead;
  await book("FundsCaptured", "0.5");
  funds.seen(await newest());
  open();
  expect(await asked).toBe("insufficient_funds");
  expect(await funds.short(partner, 500_000n, on)).toBeUndefined();
});

test("an older event that comes late changes nothing", async () => {
  const { log, book, newest } = await walletOf("1");
  const older = await newest();
  await book("FundsCaptured", "0.25");
  const funds = new Funds(log, () => 0);
  expect(await funds.short(partner, 250_001n, on)).toBe("insufficient_funds");
  funds.seen(older);
  expect(await funds.short(partner, 250_001n, on)).toBe("insufficient_funds");
});
