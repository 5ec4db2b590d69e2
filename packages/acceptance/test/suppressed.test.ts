import { createHmac } from "node:crypto";
import { streamOf, uuid7, uuidToBase32 } from "@heliograph/contracts";
import { suppressionName } from "@heliograph/domain";
import { openMemoryLog } from "@heliograph/log";
import { until } from "@heliograph/testkit";
import { recordMove } from "@heliograph/gateways";
import { erasedText, type Vault } from "@heliograph/vault";
import { expect, test } from "vitest";
import { openSuppressed } from "../src/index.ts";
import { nameFilter } from "../src/name-filter.ts";

const nameOf = (text: string): string => {
  const hex = createHmac("sha256", "key").update(text).digest("hex");
  const at = [0, 8, 12, 16, 20, 32];
  return uuidToBase32(
    at
      .slice(1)
      .map((end, index) => hex.slice(at[index], end))
      .join("-"),
  );
};
/** Nothing here is sealed, but for what is erased. */
const erased = new Set<string>();
const vault = {
  name: (...parts: string[]) => nameOf(parts.join("|")),
  seal: async () => (text: string) => text,
  open: async () => (text: string) => (erased.has(text) ? erasedText : text),
} as unknown as Vault;

test("What was added is found, and hardly anything else", () => {
  const filter = nameFilter();
  for (let index = 0; index < 20_000; index++) filter.add(nameOf(`in ${index}`));
  for (let index = 0; index < 20_000; index++)
    expect(filter.mayHave(nameOf(`in ${index}`))).toBe(true);
  let wrong = 0;
  for (let index = 0; index < 20_000; index++) if (filter.mayHave(nameOf(`out ${index}`))) wrong++;
  expect(wrong).toBe(0);
});

test("A recipient is stopped from the start, while it lasts, and again, by whoever shares the log", async () => {
  const log = openMemoryLog();
  const name = suppressionName(vault, "ptn_1", "sms", "+15550100001");
  let revision = -1;
  const record = async (type: string, active: object[]) => {
    const data = { suppression_id: "sup_1", name, channel: "sms", active };
    const event = { id: uuid7(), type, data, metadata: { partner: "ptn_1" } };
    const expected = revision < 0 ? ("no_stream" as const) : revision;
    await log.append([{ stream: streamOf("suppression", name), expected, events: [event] }]);
    revision++;
  };
  const stop = { id: "sup_1", applies_to: "marketing", reason: "keyword" };
  await record("SuppressionStarted", [stop]);
  const fail = (error: unknown) => expect.fail(String(error));
  const first = openSuppressed({ log, vault }, fail);
  const second = openSuppressed({ log, vault }, fail);
  const message = { channel: "sms", to: "+15550100001", category: "marketing" } as const;
  // Nothing has been read yet: the stream itself is asked.
  expect(await first.find("ptn_1", message)).toEqual(stop);
  expect(await second.find("ptn_1", { ...message, category: "transactional" })).toBeUndefined();
  const other = { ...message, to: "+15550100002" };
  await until(async () => !(first.find("ptn_1", other) instanceof Promise));
  expect(first.find("ptn_2", message), "another partner's").toBeUndefined();
  await first.release();
  await record("SuppressionEnded", []);
  expect(await second.find("ptn_1", message)).toBeUndefined();
  await record("SuppressionStarted", [{ ...stop, applies_to: "all" }]);
  expect(await second.find("ptn_1", { ...message, category: "transactional" })).toBeDefined();
  await second.release();
  await log.close();
});

test("Who opts out by the number that WhatsApp knows is stopped by the one that was written to, and nobody else is", async () => {
  const log = openMemoryLog();
  const stop = { id: "sup_1", applies_to: "all", reason: "keyword" };
  for (const to of ["+551187654321", "+5215512345678", "+5491123456789", "+551133334444"]) {
    const name = suppressionName(vault, "ptn_1", "whatsapp", to);
    const data = { suppression_id: "sup_1", name, channel: "whatsapp", active: [stop] };
    const event = { id: uuid7(), type: "SuppressionStarted", data, metadata: { partner: "ptn_1" } };
    await log.append([
      { stream: streamOf("suppression", name), expected: "no_stream", events: [event] },
    ]);
  }
  const suppressed = openSuppressed({ log, vault }, (error) => expect.fail(String(error)));
  const find = (to: string, channel: "whatsapp" | "sms" = "whatsapp") =>
    suppressed.find("ptn_1", { channel, to, category: "transactional" });
  await until(async () => !(find("+15550100009") instanceof Promise));
  for (const to of ["+5511987654321", "+551187654321", "+525512345678", "+541123456789"])
    expect(await find(to), to).toEqual(stop);
  expect(await find("+5511933334444"), "a landline's is nobody's mobile").toBeUndefined();
  expect(
    await find("+5511987654321", "sms"),
    "on another channel a number is its own",
  ).toBeUndefined();
  await suppressed.release();
  await log.close();
});

test("A chat that moved is found where it is, by its partner alone, after a restart and until it is erased; what stops one of its addresses stops both", async () => {
  const log = openMemoryLog();
  const told = (partner: string, from: string, to: string) =>
    recordMove({ log, vault }, { partner, channel: "telegram", from, to }, {});
  await told("ptn_1", "-55", "-100123");
  await told("ptn_1", "-55", "-100123");
  await told("ptn_1", "-7", "-7");
  await told("ptn_1", "-8", "-1008");
  // Nonsense of a provider's: it neither goes in a circle nor on for ever.
  await told("ptn_1", "-1", "-2");
  await told("ptn_1", "-2", "-1");
  expect((await log.readAll({ after: 0n, limit: 100 })).events).toHaveLength(8);
  const active = [{ id: "sup_1", applies_to: "all", reason: "keyword" }];
  for (const stopped of ["-55", "-1008"]) {
    const name = suppressionName(vault, "ptn_1", "telegram", stopped);
    const data = { suppression_id: "sup_1", name, channel: "telegram", active };
    const event = { id: uuid7(), type: "SuppressionStarted", data, metadata: { partner: "ptn_1" } };
    const stream = streamOf("suppression", name);
    await log.append([{ stream, expected: "no_stream", events: [event] }]);
  }

  const suppressed = openSuppressed({ log, vault }, (error) => expect.fail(String(error)));
  const now = (to: string, partner = "ptn_1", channel: "telegram" | "sms" = "telegram") =>
    suppressed.movedTo(partner, { channel, to });
  expect(await now("-55"), "before the log is read").toBe("-100123");
  await until(async () => !(now("-56") instanceof Promise));
  expect(await now("-55")).toBe("-100123");
  expect(await now("-100123")).toBeUndefined();
  expect(await now("-1")).toBe("-2");
  expect(await now("-55", "ptn_2"), "another partner's").toBeUndefined();
  expect(now("-55", "ptn_1", "sms"), "another channel's").toBeUndefined();
  for (const to of ["-55", "-100123"])
    expect(
      await suppressed.find("ptn_1", { channel: "telegram", to, category: "transactional" }),
    ).toEqual(active[0]);
  // The contacts are erased, and their opt-outs outlive that, at whichever address they were said.
  for (const text of ["-55", "-100123", "-8", "-1008"]) erased.add(text);
  expect(await now("-55")).toBeUndefined();
  for (const to of ["-55", "-100123", "-8", "-1008"])
    expect(
      await suppressed.find("ptn_1", { channel: "telegram", to, category: "transactional" }),
      to,
    ).toEqual(active[0]);
  await suppressed.release();
  await log.close();
});
