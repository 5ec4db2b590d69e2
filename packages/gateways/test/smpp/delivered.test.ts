import { describe, expect, test } from "vitest";
import { toGsm } from "@heliograph/channels";
import { encodePdu } from "../../src/smpp/codec.ts";
import { readSmpp } from "../../src/smpp/callbacks.ts";
import { smppType } from "../../src/smpp/content-type.ts";
import { answeredId, joinIds, smppIdKeys, smppPartOf } from "../../src/smpp/ids.ts";
import { smppInbound } from "../../src/smpp/inbound.ts";
import { tag, type Fields, type Tlvs } from "../../src/smpp/pdu.ts";

type Changes = Partial<Fields<"deliver_sm">> & { readonly tlvs?: Tlvs };
function frameOf({ tlvs = [], ...fields }: Changes): Buffer {
  return encodePdu({
    command: "deliver_sm",
    status: 0,
    sequence: 9,
    fields: {
      service_type: "",
      source_addr_ton: 1,
      source_addr_npi: 1,
      source_addr: "15551234567",
      dest_addr_ton: 3,
      dest_addr_npi: 0,
      destination_addr: "12345",
      esm_class: 0,
      protocol_id: 0,
      priority_flag: 0,
      schedule_delivery_time: "",
      validity_period: "",
      registered_delivery: 0,
      replace_if_present_flag: 0,
      data_coding: 0,
      sm_default_msg_id: 0,
      short_message: Buffer.alloc(0),
      ...fields,
    },
    tlvs,
  });
}
const contentType = smppType("gsm", "one");
const read = (changes: Changes, type = contentType) => {
  const callback = {
    url: "",
    headers: {},
    contentType: type,
    body: frameOf(changes),
    receivedAt: "",
  };
  const items = readSmpp(callback, { name: "one" });
  expect(items.length).toBe(1);
  return items[0]!;
};
const text = (value: string) => ({ short_message: Buffer.from(value, "latin1") });
const receipt = 0x04;
const cString = (value: string) => Buffer.from(`${value}\0`);

describe("a receipt", () => {
  test.each<[string, Changes, object]>([
    [
      "of appendix B",
      text(
        "id:7 sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 text:Hello",
      ),
      { providerMessageId: "7", eventId: "7.DELIVRD", status: "delivered" },
    ],
    [
      "without sub and dlvrd",
      text("id:1 submit date:260101120000 done date:260101120100 stat:DELIVRD err:000"),
      { providerMessageId: "1", status: "delivered" },
    ],
    [
      "in any order, in small letters",
      text("stat:undeliv ID:ab-3 ERR:0EF"),
      {
        providerMessageId: "ab-3",
        status: "undelivered",
        permanent: true,
        error: { code: "undelivered", provider: { code: "0EF", text: "UNDELIV" } },
        diagnostic: "stat:UNDELIV err:0EF",
      },
    ],
    [
      "of an id and a state",
      text("id:5 stat:EXPIRED"),
      { providerMessageId: "5", status: "undelivered" },
    ],
    [
      "by its parameters alone",
      {
        tlvs: [
          [tag.receipted_message_id, cString("0a9")],
          [tag.message_state, Buffer.from([8])],
          [tag.network_error_code, Buffer.from([3, 0, 17])],
        ],
      },
      { providerMessageId: "0a9", status: "undelivered", error: { provider: { code: "017" } } },
    ],
    [
      "whose parameters and text differ: the parameters count",
      {
        ...text("id:9 stat:ACCEPTD"),
        tlvs: [
          [tag.receipted_message_id, cString("7")],
          [tag.message_state, Buffer.from([2])],
        ],
      },
      { providerMessageId: "7", otherIds: ["9"], status: "delivered" },
    ],
    [
      "whose text is in message_payload",
      { tlvs: [[tag.message_payload, Buffer.from("id:3 stat:DELETED err:1 text:x")]] },
      { providerMessageId: "3", status: "undelivered" },
    ],
    [
      "in UCS-2",
      { data_coding: 8, short_message: Buffer.from("id:3 stat:DELIVRD", "utf16le").swap16() },
      { providerMessageId: "3", status: "delivered" },
    ],
    [
      "behind a user data header",
      {
        esm_class: 0x44,
        short_message: Buffer.from(
          "\u0005\u0000\u0003\u0007\u0001\u0001id:3 stat:DELIVRD",
          "latin1",
        ),
      },
      { providerMessageId: "3", status: "delivered" },
    ],
    [
      "in a coding that is no text's",
      { data_coding: 4, ...text("id:3 stat:DELIVRD") },
      { providerMessageId: "3", status: "delivered" },
    ],
    [
      "whose quoted text looks like a receipt",
      text("id:3 stat:DELIVRD err:000 text:id:4 stat:UNDELIV"),
      { providerMessageId: "3", status: "delivered" },
    ],
  ])("is read %s", (_, changes, report) => {
    expect(read({ esm_class: receipt, ...changes })).toMatchObject({ kind: "report", report });
  });

  test.each(["ACCEPTD", "BUFFRED", "ENROUTE", "UNKNOWN", "SKIPPED"])(
    "with the word %s changes nothing, and keeps it",
    (word) => {
      expect(read({ esm_class: receipt, ...text(`id:1 stat:${word}`) })).toEqual({
        kind: "ignored",
        what: word,
      });
    },
  );

  test("without an id or a state is said to be unreadable", () => {
    expect(read({ esm_class: receipt, ...text("stat:DELIVRD") }).kind).toBe("unreadable");
    expect(read({ esm_class: receipt, ...text("id:1 done") }).kind).toBe("unreadable");
  });

  test("is told from what a person writes by four bits of esm_class alone", () => {
    const written = text("id:1 stat:DELIVRD");
    for (const [esmClass, kind] of [
      [0x04, "report"],
      [0x44, "report"],
      [0x07, "report"],
      [0xc4, "report"],
      [0x20, "ignored"],
      [0x08, "ignored"],
      [0x00, "inbound"],
      [0x03, "inbound"],
    ] as const)
      expect([esmClass, read({ ...written, esm_class: esmClass }).kind]).toEqual([esmClass, kind]);
  });
});

describe("the id of a receipt meets that of the answer", () => {
  const meet = (answer: string, told: string, how: "as_is" | "hex_to_decimal" | "auto") => {
    const keys = new Set(smppIdKeys(answeredId(answer, how), how));
    return smppIdKeys(told, how).some((key) => keys.has(key));
  };
  test.each([
    ["39f99dd5", "0972660181", "hex_to_decimal", true],
    ["39f99dd5", "0972660181", "auto", true],
    ["39f99dd5", "0972660181", "as_is", false],
    ["972660181", "39F99DD5", "auto", true],
    ["00B8BE19", "B8BE19", "as_is", true],
    ["b8be19", "B8BE19", "as_is", true],
    ["ffffffffffffffffffffffff", "79228162514264337593543950335", "hex_to_decimal", true],
    ["a-uuid-0", "A-UUID-0", "hex_to_decimal", true],
    ["10", "16", "as_is", false],
    ["0", "00", "as_is", true],
  ] as const)("%s, %s, %s: %s", (answer, told, how, found) => {
    expect(meet(answer, told, how)).toBe(found);
  });

  test("and two messages with such an id are two, of which none is chosen", () => {
    const told = new Set(smppIdKeys("16", "auto"));
    const answers = ["10", "16"].map((id) => smppIdKeys(id, "auto").some((key) => told.has(key)));
    expect(answers).toEqual([true, true]);
  });

  test("also of each part of a long message", () => {
    expect(smppPartOf("a1,A2,00a3", "a3")).toEqual({ number: 3, of: 3 });
    expect(smppPartOf("a1,A2,00a3", "a2")).toEqual({ number: 2, of: 3 });
    expect(smppPartOf("10,11", "17", "auto")).toEqual({ number: 2, of: 2 });
    expect(smppPartOf("a1", "a1")).toBeUndefined();
    expect(smppPartOf("a1,a2", "a9")).toBeUndefined();
  });
});

describe("what a person writes", () => {
  const inbound = (frames: readonly Buffer[], type = contentType) =>
    smppInbound({
      raw: Buffer.concat(frames),
      contentType: type,
      gateway: { name: "one", channel: "sms" },
    });
  test.each<[string, "gsm" | "latin1" | "ascii", Changes, string]>([
    ["GSM", "gsm", { short_message: Buffer.from("001102011b65", "hex") }, "@_$£€"],
    ["Latin-1", "latin1", { short_message: Buffer.from("405f24a3", "hex") }, "@_$£"],
    ["UCS-2", "gsm", { data_coding: 8, short_message: Buffer.from("77ed4fe1", "hex") }, "短信"],
    ["ASCII by its coding", "gsm", { data_coding: 1, ...text("@home") }, "@home"],
    ["Latin-1 by its coding", "gsm", { data_coding: 3, ...text("é") }, "é"],
    ["GSM by its class", "latin1", { data_coding: 0xf1, short_message: toGsm("@") }, "@"],
    ["a payload", "gsm", { tlvs: [[tag.message_payload, toGsm("whole")]] }, "whole"],
    [
      "Turkish by a single shift",
      "gsm",
      { esm_class: 0x40, short_message: Buffer.from("032401011b676f1b73", "hex") },
      "ğoş",
    ],
    ["nothing", "gsm", {}, ""],
  ])("is read in %s", (_, alphabet, changes, said) => {
    const type = smppType(alphabet, "two");
    expect(inbound([frameOf(changes)], type)).toEqual({
      providerMessageId: "two",
      from: "+15551234567",
      to: "12345",
      text: said,
      kind: "message",
    });
    expect(read(changes, type)).toMatchObject({ kind: "inbound", from: "+15551234567" });
  });

  const header8 = (reference: number, total: number, number: number) =>
    Buffer.from([5, 0, 3, reference, total, number]);
  const header16 = (reference: number, total: number, number: number) =>
    Buffer.from([6, 8, 4, reference >> 8, reference & 0xff, total, number]);
  const sar = (reference: number, total: number, number: number): Tlvs => [
    [tag.sar_msg_ref_num, Buffer.from([reference >> 8, reference & 0xff])],
    [tag.sar_total_segments, Buffer.from([total])],
    [tag.sar_segment_seqnum, Buffer.from([number])],
  ];
  const parts: Readonly<Record<string, (number: number, said: string) => Changes>> = {
    "a header of 8 bits, reference 0": (number, said) => ({
      esm_class: 0x40,
      short_message: Buffer.concat([header8(0, 3, number), toGsm(said)]),
    }),
    "a header of 16 bits": (number, said) => ({
      esm_class: 0x43,
      short_message: Buffer.concat([header16(0x1234, 3, number), toGsm(said)]),
    }),
    "sar parameters": (number, said) => ({ short_message: toGsm(said), tlvs: sar(7, 3, number) }),
  };
  test.each(Object.keys(parts))(
    "in parts by %s is one message, whatever came first or twice",
    (how) => {
      const said = ["one ", "two ", "three"];
      const changes = said.map((part, index) => parts[how]!(index + 1, part));
      const items = changes.map((change) => read(change));
      expect(items).toMatchObject(
        said.map((_, index) => ({ kind: "part", number: index + 1, total: 3 })),
      );
      expect(new Set(items.map((item) => item.kind === "part" && item.of)).size).toBe(1);
      const [first, second, third] = changes.map(frameOf) as [Buffer, Buffer, Buffer];
      expect(inbound([third, first, second, first]).text).toBe("one two three");
      expect(inbound([third, first]).text, "what did not come is marked").toBe("one […]three");
    },
  );

  test("with a header that is none is read as it stands", () => {
    expect(inbound([frameOf({ esm_class: 0x40, ...text("\u007fHi") })]).text).toBe("àHi");
    // Part 4 of 3.
    const wrong = Buffer.concat([header8(1, 3, 4), toGsm("Hi")]);
    expect(read({ esm_class: 0x40, short_message: wrong }).kind).toBe("inbound");
  });

  test("that is no text is passed", () => {
    expect(read({ data_coding: 4, ...text("x") }).kind).toBe("ignored");
  });

  test("of another kind throws", () => {
    expect(() => inbound([Buffer.from("00000010000000150000000000000001", "hex")])).toThrow(
      "enquire_link",
    );
    expect(() => inbound([])).toThrow("no PDU");
    expect(() => inbound([frameOf({})], "application/json")).toThrow("type");
  });
});

describe("what a hostile centre says", () => {
  test("an id of any length fits its event, as often as a text may have parts, and is found by its receipt", () => {
    for (const [id, form] of [
      ["x".repeat(3_000), "as_is"],
      ["f".repeat(3_000), "hex_to_decimal"],
      ["f".repeat(64), "hex_to_decimal"],
    ] as const) {
      const accepted = joinIds(Array.from({ length: 24 }, () => answeredId(id, form)));
      expect(accepted.length).toBeLessThanOrEqual(2_000);
      const told = form === "as_is" ? id : BigInt(`0x${id}`).toString();
      const item = read({
        esm_class: receipt,
        tlvs: [
          [tag.receipted_message_id, cString(told)],
          [tag.message_state, Buffer.from([2])],
        ],
      });
      if (item.kind !== "report") throw new Error(item.kind);
      expect(item.report.eventId.endsWith(".DELIVRD")).toBe(true);
      expect(item.report.eventId.length).toBeLessThanOrEqual(255);
      if (id.length > 64 && form !== "as_is") continue;
      const keys = smppIdKeys(item.report.providerMessageId, form);
      expect(smppIdKeys(accepted, form)).toEqual(expect.arrayContaining([...keys]));
    }
  });

  test("a part that is longer than one can be is a message of its own", () => {
    const header = Buffer.from([5, 0, 3, 7, 255, 1]);
    const payload = Buffer.concat([header, Buffer.alloc(60_000, "x")]);
    expect(read({ esm_class: 0x40, short_message: header }).kind).toBe("part");
    expect(read({ esm_class: 0x40, tlvs: [[tag.message_payload, payload]] }).kind).toBe("inbound");
    const padding: Tlvs = [[0x1400, Buffer.alloc(60_000)]];
    expect(read({ esm_class: 0x40, short_message: header, tlvs: padding }).kind).toBe("inbound");
  });

  test("an address that is longer than there is is shown to an operator", () => {
    const frame = frameOf({ ...text("Hi") });
    const long = Buffer.alloc(1_000, "1");
    const [before, after] = [frame.subarray(0, 19), frame.subarray(19)];
    const body = Buffer.concat([before, long, after]);
    body.writeUInt32BE(body.length, 0);
    const callback = { url: "", headers: {}, contentType, body, receivedAt: "" };
    expect(readSmpp(callback, { name: "one" })).toEqual([
      { kind: "unreadable", why: "an address is longer than there is" },
    ]);
  });
});
