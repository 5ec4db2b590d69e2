import { LogUnavailable, openMemoryLog } from "@heliograph/log";
import { expect, test } from "vitest";
import { openDirectory } from "../src/directory/directory.ts";

const keyIssued = {
  key_id: "key_1AAAA",
  partner_id: "ptn_1AAAA",
  environment: "live",
  name: "first",
  sha256: "a".repeat(64),
  prefix: "ak_live_abcd",
  scopes: ["messages:write"],
  created_at: "2026-01-01T00:00:00Z",
};

const noDamage = (): never => {
  throw new Error("nothing is damaged here");
};

test("a key is known after it was issued and refused after it was revoked, without a restart", async () => {
  const log = openMemoryLog();
  const directory = await openDirectory(log, noDamage);
  const [issued] = await log.append([
    {
      stream: "key-1AAAA",
      expected: "no_stream",
      events: [{ id: crypto.randomUUID(), type: "KeyIssued", data: keyIssued, metadata: {} }],
    },
  ]);
  await directory.caughtUp(issued?.kind === "appended" ? issued.position : -1n);
  expect(directory.key("a".repeat(64))?.revoked).toBe(false);
  const [revoked] = await log.append([
    {
      stream: "key-1AAAA",
      expected: 0,
      events: [
        {
          id: crypto.randomUUID(),
          type: "KeyRevoked",
          data: { key_id: "key_1AAAA", partner_id: "ptn_1AAAA" },
          metadata: {},
        },
      ],
    },
  ]);
  await directory.caughtUp(revoked?.kind === "appended" ? revoked.position : -1n);
  expect(directory.key("a".repeat(64))?.revoked).toBe(true);
  expect(directory.keysOf("ptn_1AAAA")).toHaveLength(1);
  await directory.close();
  const again = await openDirectory(log, noDamage);
  expect(again.keyById("key_1AAAA")?.revoked).toBe(true);
  await again.close();
  await log.close();
});

test("damaged events are told and passed over, at the start and later", async () => {
  const log = openMemoryLog();
  const append = async (key: string, data: object): Promise<bigint> => {
    const event = { id: crypto.randomUUID(), type: "KeyIssued", data, metadata: {} };
    const [outcome] = await log.append([
      { stream: `key-${key}`, expected: "no_stream", events: [event] },
    ]);
    return outcome?.kind === "appended" ? outcome.position : -1n;
  };
  const damaged = [await append("early", { key_id: null })];
  const told: bigint[] = [];
  const directory = await openDirectory(log, ({ position }) => void told.push(position));
  damaged.push(await append("late", {}));
  // A later version may say more than this one knows.
  await directory.caughtUp(await append("1AAAA", { ...keyIssued, colour: "red" }));
  expect(told).toEqual(damaged);
  expect(directory.keyById("key_1AAAA")).toMatchObject({ name: "first", revoked: false });
  // It may have been the revocation.
  const [last] = await log.append([
    {
      stream: "key-1AAAA",
      expected: "any",
      events: [{ id: crypto.randomUUID(), type: "KeyRevoked", data: {}, metadata: {} }],
    },
  ]);
  await directory.caughtUp(last?.kind === "appended" ? last.position : -1n);
  expect(directory.keyById("key_1AAAA")?.revoked).toBe(true);
  await directory.close();
  await log.close();
});

test("whether there is a partner is known as soon as it is in the log", async () => {
  const log = openMemoryLog();
  const directory = await openDirectory(log, noDamage);
  const data = {
    partner_id: "ptn_1AAAA",
    name: "New",
    currency: "EUR",
    created_at: "2026-01-01T00:00:00Z",
  };
  await log.append([
    {
      stream: "partner-1AAAA",
      expected: "no_stream",
      events: [{ id: crypto.randomUUID(), type: "PartnerCreated", data, metadata: {} }],
    },
  ]);
  expect(await directory.knows("ptn_1AAAA")).toBe(true);
  expect(directory.partner("ptn_1AAAA")?.currency).toBe("EUR");
  expect(await directory.knows("ptn_2AAAA")).toBe(false);
  await directory.close();
});

test("whoever asks for what was registered last waits until it is folded, also while an earlier look is under way", async () => {
  const log = openMemoryLog();
  const directory = await openDirectory(log, noDamage);
  const early = directory.refreshed();
  const later = log.append([
    {
      stream: "key-1AAAA",
      expected: "no_stream",
      events: [{ id: crypto.randomUUID(), type: "KeyIssued", data: keyIssued, metadata: {} }],
    },
  ]);
  const seen = later
    .then(() => directory.refreshed())
    .then(() => directory.key("a".repeat(64))?.key_id);
  await early;
  expect(await seen).toBe("key_1AAAA");
  await directory.close();
  await log.close();
});

test("where the log does not say where it ends, nobody is told that a key is not there", async () => {
  const log = openMemoryLog();
  let isAway = false;
  const directory = await openDirectory(
    {
      ...log,
      head: () => (isAway ? Promise.reject(new LogUnavailable("it is away")) : log.head()),
      subscribe: (options) => log.subscribe(options),
      readAll: (options) => log.readAll(options),
    },
    noDamage,
  );
  isAway = true;
  await expect(directory.refreshed()).rejects.toThrow(LogUnavailable);
  isAway = false;
  await directory.refreshed();
  await directory.close();
  await log.close();
});
