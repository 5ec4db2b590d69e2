import { splitSms } from "@heliograph/channels";
import { until, type SmscReaction } from "@heliograph/testkit";
import { afterEach, describe, expect, test } from "vitest";
import type { Receipt } from "../../src/index.ts";
import { attemptOf } from "../support.ts";
import { never, smppSetting, textOf, to, type Setting } from "./setting.ts";

const open: Setting[] = [];
afterEach(async () => {
  for (const setting of open.splice(0)) await setting.close();
});
async function set(options: Parameters<typeof smppSetting>[0] = {}): Promise<Setting> {
  const setting = await smppSetting(options);
  open.push(setting);
  return setting;
}
const seconds = (ms: number): AbortSignal => AbortSignal.timeout(ms);
const throttled: SmscReaction = { type: "refuse", status: 0x58 };
const accept: SmscReaction = { type: "accept" };
const long = "Your parcel is on its way. ".repeat(15);

describe("what is submitted", () => {
  test.each([
    ["Test-SM", { ton: 5, npi: 0, address: "Test-SM" }],
    ["+15550001111", { ton: 1, npi: 1, address: "15550001111" }],
    ["12345", { ton: 3, npi: 0, address: "12345" }],
    [undefined, { ton: 5, npi: 9, address: "Shop" }],
    ["Shop", { ton: 5, npi: 9, address: "Shop" }],
  ])("is from %s in the type of number that it is", async (from, source) => {
    const { gateway, smsc } = await set({
      settings: { source: { address: "Shop", ton: 5, npi: 9 } },
    });
    await gateway.send(textOf("Hello", from), never);
    expect(smsc.submits[0]).toMatchObject({
      source,
      destination: { ton: 1, npi: 1, address: to.slice(1) },
      registered: 1,
      validity: "",
    });
  });

  test("says how long it is valid, in sixteen characters", async () => {
    const { gateway, smsc } = await set();
    for (const validForSeconds of [900, 7 * 86_400, 59.9, 0])
      await gateway.send(attemptOf(to, { validForSeconds }), never);
    expect(smsc.submits.map(({ validity }) => validity)).toEqual([
      "000000001500000R",
      "000007000000000R",
      "000000000059000R",
      "",
    ]);
  });

  test.each([
    ["gsm", "@_$£", 0, "00110201"],
    ["latin1", "@_$£", 0, "405f24a3"],
    ["ascii", "@_$", 0, "405f24"],
    // What the centre's alphabet has no letter for.
    ["ascii", "£", 8, "00a3"],
    ["latin1", "€", 8, "20ac"],
    ["gsm", "€", 0, "1b65"],
    ["gsm", "短信", 8, "77ed4fe1"],
    ["latin1", "😀", 8, "d83dde00"],
  ] as const)(
    "is in the alphabet that the gateway's setting names: %s %s",
    async (alphabet, text, coding, hex) => {
      const { gateway, smsc } = await set({ settings: { data_coding_default: alphabet } });
      await gateway.send(textOf(text), never);
      const [{ message, coding: seen }] = smsc.submits as [(typeof smsc.submits)[0]];
      expect([seen, message.toString("hex")]).toEqual([coding, hex]);
    },
  );

  test.each([
    [long],
    [`${"a".repeat(152)}€${"a".repeat(152)}€`],
    ["я".repeat(200)],
    [`${"я".repeat(66)}😀${"я".repeat(66)}`],
  ])("is as many messages as the text has segments, tied by one reference (%#)", async (text) => {
    const { gateway, smsc } = await set();
    const result = await gateway.send(textOf(text), never);
    const { parts, encoding } = splitSms(text);
    const submits = smsc.submits.toSorted((a, b) => a.message[5]! - b.message[5]!);
    expect(submits.length).toBe(parts.length);
    const heads = submits.map(({ message }) => [...message.subarray(0, 6)]);
    const reference = heads[0]![3]!;
    expect(heads).toEqual(parts.map((_, index) => [5, 0, 3, reference, parts.length, index + 1]));
    for (const { message, esmClass, coding } of submits) {
      expect([esmClass, coding]).toEqual([0x40, encoding === "UCS-2" ? 8 : 0]);
      expect(message.length - 6).toBeLessThanOrEqual(encoding === "UCS-2" ? 134 : 153);
    }
    // One number for each PDU, one id for each part.
    expect(new Set(submits.map(({ sequence }) => sequence)).size).toBe(parts.length);
    expect(result).toMatchObject({ type: "accepted" });
    const { providerMessageId } = result as { providerMessageId: string };
    expect(providerMessageId.split(",").toSorted()).toEqual(
      parts.map((_, index) => String(index + 1)),
    );
  });

  test("is one message with a payload where the gateway's setting says so", async () => {
    const { gateway, smsc } = await set({ settings: { long: "payload" } });
    await gateway.send(textOf(long), never);
    await gateway.send(textOf("a".repeat(200)), never);
    const [whole, short] = smsc.submits;
    expect(whole!.message.length).toBe(0);
    expect(whole!.tlvs.get(0x0424)!.length).toBe(long.length);
    expect([short!.message.length, short!.esmClass]).toEqual([200, 0]);
  });

  test("is as many messages, tied by parameters, where the gateway's setting says so, each of the carrier's service", async () => {
    const { gateway, smsc } = await set({ settings: { long: "sar", service_type: "CMT" } });
    const result = await gateway.send(textOf(long), never);
    expect(result.type).toBe("accepted");
    const { parts } = splitSms(long);
    const submits = smsc.submits.toSorted(
      (a, b) => a.tlvs.get(0x020f)![0]! - b.tlvs.get(0x020f)![0]!,
    );
    expect(submits.map(({ message }) => message.toString("latin1")).join("")).toBe(long);
    expect(submits.map(({ esmClass }) => esmClass)).toEqual(parts.map(() => 0));
    expect(submits.map(({ tlvs }) => [tlvs.get(0x020e)![0], tlvs.get(0x020f)![0]])).toEqual(
      parts.map((_, index) => [parts.length, index + 1]),
    );
    expect(new Set(submits.map(({ tlvs }) => tlvs.get(0x020c)!.toString("hex"))).size).toBe(1);
  });

  test("goes over the transmitter of a pair, and what is delivered comes by the receiver", async () => {
    const got: Buffer[] = [];
    const { gateway, smsc } = await set({
      settings: { bind: "pair", binds: 2 },
      tools: { received: async ({ body }) => void got.push(body) },
    });
    gateway.listen!();
    await until(() => smsc.bound.length === 4);
    expect(smsc.binds.map(({ command }) => command).toSorted((a, b) => a - b)).toEqual([
      1, 1, 2, 2,
    ]);
    await gateway.send(textOf("Hello"), never);
    expect(await smsc.deliver({ from: "1555", to: "12345", message: Buffer.from("Hi") })).toBe(0);
    expect(got.length).toBe(1);
  });
});

describe("a centre that throttles", () => {
  test.each([0x58, 0x14])(
    "is waited for, and nothing is counted as a failure (%#)",
    async (status) => {
      const { gateway, smsc } = await set();
      smsc.behave((_, index) => (index < 2 ? { type: "refuse", status } : accept));
      expect(await gateway.send(textOf("Hello"), never)).toMatchObject({ type: "accepted" });
      expect(smsc.submits.length).toBe(3);
    },
  );

  test("gets what it took only once: part 2 of 3 comes again alone, with its reference", async () => {
    const { gateway, smsc } = await set();
    let refusals = 0;
    smsc.behave(({ message }) => (message[5] === 2 && refusals++ < 2 ? throttled : accept));
    const text = "a".repeat(400);
    expect(await gateway.send(textOf(text), never)).toMatchObject({ type: "accepted" });
    expect(smsc.submits.map(({ message }) => message[5]!).toSorted((a, b) => a - b)).toEqual([
      1, 2, 2, 2, 3,
    ]);
    expect(new Set(smsc.submits.map(({ message }) => message[3])).size).toBe(1);
  });

  test("is left alone when it goes on, and what it took is not sent again by the next try", async () => {
    const { gateway, smsc } = await set({ config: { timeout_ms: 400 } });
    smsc.behave(({ message }) => (message[5] === 2 ? throttled : accept));
    const text = "a".repeat(400);
    expect(await gateway.send(textOf(text), never)).toMatchObject({
      type: "unavailable",
      throttles: "recipient",
      error: { code: "provider_throttled", permanent: false },
    });
    smsc.behave(() => accept);
    const before = smsc.submits.length;
    const again = attemptOf(to, { attempt: 2, content: { text } });
    expect(await gateway.send(again, never)).toMatchObject({ type: "accepted" });
    expect(smsc.submits.slice(before).map(({ message }) => message[5])).toEqual([2]);
    expect(new Set(smsc.submits.map(({ message }) => message[3])).size).toBe(1);
  });
});

describe("an answer", () => {
  test("that comes late settles what was uncertain, and nothing is submitted twice", async () => {
    const receipts: Receipt[] = [];
    const { gateway, smsc } = await set({
      config: { timeout_ms: 50 },
      tools: { onReceipt: async (receipt) => void receipts.push(receipt) },
    });
    smsc.behave(() => ({ type: "silent" }));
    expect(await gateway.send(textOf("Hello"), never)).toEqual({
      type: "uncertain",
      cause: "timeout",
    });
    // Given up by the caller, before the gateway's own deadline.
    const caller = new AbortController();
    const second = gateway.send(attemptOf("+15557654321"), caller.signal);
    await until(() => smsc.submits.length === 2);
    caller.abort();
    expect(await second).toEqual({ type: "uncertain", cause: "timeout" });
    for (const [index, submit] of smsc.submits.entries()) smsc.answer(submit, `late-${index}`);
    await until(() => receipts.length === 2);
    expect(receipts).toMatchObject([
      { status: "sent", provider_message_id: "late-0" },
      { status: "sent", provider_message_id: "late-1" },
    ]);
    expect(smsc.submits.length).toBe(2);
    // The attempt again, as at-least-once would: it is taken already, and the ids are forgotten.
    smsc.behave(() => accept);
    // On a busy machine even this answer may be late.
    await until(async () => (await gateway.send(textOf("Hello"), never)).type === "accepted");
  });

  test("is read before the receipts that came ahead of it", async () => {
    let stored = 0;
    const { gateway, smsc } = await set({
      tools: {
        async received() {
          stored++;
          await new Promise(() => undefined);
        },
      },
    });
    smsc.behave(() => ({ type: "silent" }));
    const sent = gateway.send(textOf("Hello"), never);
    await until(() => smsc.submits.length === 1);
    for (let index = 0; index < 200; index++)
      smsc
        .deliver({ from: "1", to: "2", message: Buffer.from("id:1 stat:DELIVRD"), esmClass: 4 })
        .catch(() => undefined);
    smsc.answer(smsc.submits[0]!, "7");
    expect(await sent).toMatchObject({ type: "accepted", providerMessageId: "7" });
    // And who asks whether we are there is told so meanwhile.
    const link = Buffer.from("00000010000000150000000000000063", "hex");
    smsc.write(link);
    await until(() =>
      smsc.others.some(({ command, sequence }) => command === 0x8000_0015 && sequence === 0x63),
    );
    expect(stored).toBe(200);
  });

  test("by generic_nack fails the submit at once", async () => {
    const { gateway, smsc } = await set();
    smsc.behave(() => ({ type: "nack", status: 2 }));
    expect(await gateway.send(textOf("Hello"), seconds(3_000))).toMatchObject({
      type: "rejected",
      error: { code: "provider_rejected", provider: { text: "ESME_RINVCMDLEN (0x00000002)" } },
    });
  });

  test("to a number that was never used is told, and settles nothing", async () => {
    const { gateway, smsc, said } = await set();
    smsc.behave(() => ({ type: "stranger" }));
    expect(await gateway.send(textOf("Hello"), never)).toMatchObject({
      type: "accepted",
      providerMessageId: "1",
    });
    expect(said.map(({ message }) => message)).toContain("an answer to nothing that was asked");
  });

  test("has the number of its submit, also behind the last number there is", async () => {
    const { gateway, smsc } = await set({ timing: { firstSequence: 0x7fff_fffd } });
    for (let index = 0; index < 3; index++)
      expect((await gateway.send(attemptOf(`+1555000000${index}`), never)).type).toBe("accepted");
    // The bind had the first.
    expect(smsc.submits.map(({ sequence }) => sequence)).toEqual([0x7fff_fffe, 0x7fff_ffff, 1]);
  });

  test("without an id is an answer", async () => {
    const { gateway, smsc } = await set();
    smsc.behave(() => ({ type: "accept", id: "" }));
    const { attemptId } = textOf("Hello");
    expect(await gateway.send(textOf("Hello"), never)).toMatchObject({
      type: "accepted",
      providerMessageId: attemptId,
    });
  });
});

describe("a window", () => {
  test("that was never answered is free again at the deadline, each place once", async () => {
    const { gateway, smsc } = await set({ settings: { window: 10 }, config: { timeout_ms: 400 } });
    smsc.behave((_, index) => (index < 10 ? { type: "silent" } : accept));
    const sends = Array.from({ length: 25 }, (_, index) =>
      gateway.send(attemptOf(`+155500000${index + 10}`), never),
    );
    await until(() => smsc.submits.length === 10);
    const results = await Promise.all(sends);
    expect(results.map(({ type }) => type)).toEqual([
      ...Array<string>(10).fill("uncertain"),
      ...Array<string>(15).fill("accepted"),
    ]);
    // Answers that come now give no further place.
    for (const submit of smsc.submits.slice(0, 10)) smsc.answer(submit, "x");
    smsc.behave(() => ({ type: "silent" }));
    const before = smsc.submits.length;
    const more = Array.from({ length: 15 }, (_, index) =>
      gateway.send(attemptOf(`+155500001${index + 10}`), seconds(200)),
    );
    const ended = await Promise.all(more);
    expect(smsc.submits.length - before).toBe(10);
    expect(ended.filter(({ type }) => type === "rejected").length).toBe(5);
  });

  test("of one bind fills without stopping the others, and a dead bind is closed", async () => {
    const { gateway, smsc } = await set({
      settings: { binds: 2, window: 2 },
      timing: { idleMs: 30, linkMs: 30, retryMs: 5_000, longestRetryMs: 5_000 },
      config: { timeout_ms: 3_000 },
    });
    gateway.listen!();
    await until(() => smsc.bound.length === 2);
    const first = smsc.bound[0]!;
    smsc.freeze(first);
    const sends = Array.from({ length: 10 }, (_, index) =>
      gateway.send(attemptOf(`+155500000${index + 10}`), never),
    );
    const results = await Promise.all(sends);
    const lost = results.filter((result) => result.type === "uncertain");
    expect(lost).toEqual(Array(2).fill({ type: "uncertain", cause: "connection_lost" }));
    expect(results.filter(({ type }) => type === "accepted").length).toBe(8);
    await until(() => smsc.bound.length === 1);
    expect(smsc.bound).not.toContain(first);
  });
});

describe("a connection", () => {
  // 0x05: our own connection of before, which the centre has not given up yet.
  test.each(["close", { status: 0x05 }] as const)(
    "is made again with growing delays, one try at a time (%#)",
    async (reaction) => {
      const { gateway, smsc } = await set({ timing: { retryMs: 20, longestRetryMs: 160 } });
      smsc.onBind(reaction);
      gateway.listen!();
      await until(() => smsc.binds.length >= 5);
      const gaps = smsc.binds.slice(1).map(({ at }, index) => at - smsc.binds[index]!.at);
      // Half of 20, 40, 80, 160 at least; the other half is drawn.
      for (const [index, gap] of gaps.slice(0, 4).entries())
        expect(gap).toBeGreaterThanOrEqual((20 * 2 ** index) / 2 - 2);
      smsc.onBind(undefined);
      // The centre knows of a bind before we have its answer.
      await until(async () => (await gateway.send(textOf("Hello"), never)).type === "accepted");
      expect(smsc.bound.length).toBe(1);
    },
  );

  test.each([
    ["ESME_RINVPASWD", undefined],
    ["ESME_RBINDFAIL", { status: 0x0d }],
  ] as const)(
    "that is refused with %s is tried slowly, and messages go elsewhere meanwhile",
    async (name, reaction) => {
      const { gateway, smsc, said } = await set({
        password: "wrong",
        timing: { refusedMs: 60_000, longestRefusedMs: 60_000 },
      });
      smsc.onBind(reaction);
      const result = await gateway.send(textOf("Hello"), never);
      expect(result).toMatchObject({
        type: "unavailable",
        error: { code: "gateway_authentication_failed", class: "account" },
      });
      expect((result as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(20_000);
      await gateway.send(textOf("Hello"), never);
      expect(smsc.binds.length).toBe(1);
      expect(said.map(({ message }) => message)).toContain(
        "gateway.degraded: the message centre refuses the bind",
      );
      await expect(gateway.check!(seconds(2_000))).rejects.toThrow(name);
    },
  );

  test("is checked by a bind of its own", async () => {
    const { gateway, smsc } = await set();
    await gateway.check!(never);
    expect(smsc.binds.length).toBe(1);
    expect(smsc.others.map(({ command }) => command)).toEqual([0x6]);
  });

  test.each([0, 4, 0x7fff_ffff])(
    "ends at a length that no PDU has (%#), and the next one is sound",
    async (length) => {
      const { gateway, smsc } = await set();
      smsc.behave((_, index) => (index === 0 ? { type: "garbage", length } : accept));
      expect(await gateway.send(textOf("Hello"), never)).toEqual({
        type: "uncertain",
        cause: "connection_lost",
      });
      expect((await gateway.send(attemptOf("+15557654321"), never)).type).toBe("accepted");
    },
  );
});

describe("what is delivered", () => {
  test("is answered once it is stored, and left with the centre when it cannot be", async () => {
    let store: () => void = () => undefined;
    let fails = false;
    const { gateway, smsc } = await set({
      tools: {
        async received() {
          if (fails) throw new Error("the log is away");
          await new Promise<void>((resolve) => (store = resolve));
        },
      },
    });
    gateway.listen!();
    await until(() => smsc.bound.length === 1);
    let answered: number | undefined;
    const hello = { from: "1555", to: "12345", message: Buffer.from("Hi") };
    const done = smsc.deliver(hello).then((status) => (answered = status));
    smsc.write(Buffer.from("00000010000000150000000000000064", "hex"));
    await until(() => smsc.others.some(({ sequence }) => sequence === 0x64));
    expect(answered).toBeUndefined();
    store();
    await done;
    expect(answered).toBe(0);
    fails = true;
    expect(await smsc.deliver(hello)).toBe(0x64);
  });

  test("is refused by its number alone where it cannot be read", async () => {
    const { gateway, smsc, said } = await set({ tools: { received: async () => undefined } });
    gateway.listen!();
    await until(() => smsc.bound.length === 1);
    // A deliver_sm that ends in its first field, and a command that does not exist.
    smsc.write(Buffer.from("00000012000000050000000000000007ffff", "hex"));
    smsc.write(Buffer.from("00000010000000990000000000000008", "hex"));
    await until(() => smsc.others.length === 2);
    expect(smsc.others).toEqual([
      { command: 0x8000_0000, sequence: 7, status: 2 },
      { command: 0x8000_0000, sequence: 8, status: 3 },
    ]);
    expect(said.filter(({ message }) => message === "a PDU that cannot be read").length).toBe(2);
    expect(await smsc.deliver({ from: "1", to: "2", message: Buffer.from("x") })).toBe(0);
  });
});
