import { channelModule, fromGsm, type GsmTables } from "@heliograph/channels";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readWritten } from "../../src/smpp/inbound.ts";
import { languagesOf, smppFault, SmppSettings } from "../../src/smpp/settings.ts";
import { submitsOf } from "../../src/smpp/submit.ts";
import { attemptOf } from "../support.ts";

const host = { host: "smsc", port: 2775, system_id: "us" };
const settings = SmppSettings.parse({ ...host, national: ["turkish", "spanish", "portuguese"] });
const counted = (text: string, given = settings) =>
  channelModule("sms").segments({ text }, languagesOf(given));
const submitted = (text: string, national: GsmTables | undefined, given = settings) =>
  submitsOf(
    attemptOf("+905551234567", { content: { text }, ...(national && { national }) }),
    given,
  );

type Submit = ReturnType<typeof submitted>[number];
/** What a phone shows of a part. */
const read = ({ fields, tlvs }: Submit): string =>
  readWritten({ command: "deliver_sm", sequence: 1, fields, tlvs } as never, "gsm").text!;
/** Octets on the air: the header, filled to a whole septet, and packed septets (TS 23.040, 9.2.3.24). */
function onAir({ fields: { short_message: bytes, esm_class: esm, data_coding: coding } }: Submit) {
  if (coding === 8) return bytes.length;
  const header = (esm & 0x40) === 0 ? 0 : bytes[0]! + 1;
  return Math.ceil((Math.ceil((header * 8) / 7) + bytes.length - header) * (7 / 8));
}

const written = (letters: string) =>
  fc.string({
    unit: fc.constantFrom(...Array.from(letters)),
    minLength: 1,
    maxLength: 400,
    size: "max",
  });
const texts = fc.oneof(
  written("abc ışçĞİ {|€e0n aeiou lmnr"),
  written("abc çÁíñú {|€e0n aeiou lmnr"),
  written("abc ãõêÁú∞ {|€e0n aeiou lmnr"),
  written("abcş∞ß漢 é"),
);

describe("a text of a language with tables of its own", () => {
  it("is as many submits as it was counted, each within an SMS and read whole by a phone", () => {
    let tabled = 0;
    fc.assert(
      fc.property(texts, (said) => {
        const { count, national, encoding } = counted(said);
        const submits = submitted(said, national);
        expect(submits).toHaveLength(count);
        expect(submits.map(read).join("")).toBe(said);
        for (const submit of submits) expect(onAir(submit)).toBeLessThanOrEqual(140);
        if (national === undefined) return;
        tabled++;
        expect(encoding).toBe("GSM-7");
        expect(count).toBeLessThan(counted(said, SmppSettings.parse(host)).count);
      }),
      { numRuns: 200 },
    );
    expect(tabled).toBeGreaterThan(20);
  });

  it.each([
    // One element of three octets in the header leaves 155 septets alone, 149 in a part.
    [`${"a".repeat(153)}Í`, 1, { single: 2 }],
    [`${"a".repeat(154)}Í`, 2, { single: 2 }],
    // A pair that would begin at the last septet of the first part begins the second.
    [`${"a".repeat(148)}Í${"a".repeat(147)}`, 2, { single: 2 }],
    [`${"a".repeat(148)}Í${"a".repeat(148)}`, 3, { single: 2 }],
    ["ş".repeat(155), 1, { locking: 1 }],
    [`${"ş".repeat(150)}Ş`, 1, { locking: 1 }],
    // Both tables: 152 septets alone, 146 in a part.
    [`${"ã".repeat(150)}Φ`, 1, { locking: 3, single: 3 }],
    // What is one segment in UCS-2 stays that.
    ["ş".repeat(70), 1, undefined],
    ["a".repeat(160), 1, undefined],
  ] as const)("%# is counted by the tables that save a segment", (said, count, tables) => {
    const national: GsmTables | undefined = tables;
    const languages = { 1: "turkish", 2: "spanish", 3: "portuguese" } as const;
    const language = languages[(national?.locking ?? national?.single ?? 1) as 1 | 2 | 3];
    const own = SmppSettings.parse({ ...host, national: [language] });
    expect(counted(said, own)).toMatchObject({ count });
    expect(counted(said, own).national).toEqual(national);
    const submits = submitted(said, national, own);
    expect(submits).toHaveLength(count);
    expect(submits.map(read).join("")).toBe(said);
  });

  it("names its tables in the header behind the parts, and goes without them where the gateway does not send them", () => {
    const said = "ş".repeat(200);
    const { national, count } = counted(said);
    expect([national, count]).toEqual([{ locking: 1 }, 2]);
    const [first] = submitted(said, national);
    const { short_message: bytes, esm_class, data_coding } = first!.fields;
    expect([esm_class, data_coding]).toEqual([0x40, 0]);
    expect([...bytes.subarray(0, 3), ...bytes.subarray(4, 10)]).toEqual([
      8, 0, 3, 2, 1, 0x25, 1, 1, 0x1d,
    ]);
    expect(fromGsm(bytes.subarray(9), { locking: 1 })).toBe("ş".repeat(149));
    const spanish = SmppSettings.parse({ ...host, national: ["spanish"] });
    const wide = submitted(said, national, spanish);
    expect(wide.map(({ fields }) => fields.data_coding)).toEqual([8, 8, 8]);
    expect(wide).toHaveLength(counted(said, spanish).count);
  });

  it.each([
    [{ long: "payload" }, true],
    [{ data_coding_default: "latin1" }, true],
    [{ data_coding_default: "gsm", long: "udh" }, false],
  ])("of a centre with %j is refused: %s", (more, isRefused) => {
    const asked = SmppSettings.parse({ ...host, national: ["turkish"], ...more });
    expect(smppFault(asked)?.path).toBe(isRefused ? "settings.national" : undefined);
  });

  it("whose billable states name one in which nothing failed is refused", () => {
    const faultOf = (...billable: string[]) =>
      smppFault(SmppSettings.parse({ ...host, billable }))?.path;
    expect(faultOf("undeliv", "REJECTD", "0x0B")).toBe(undefined);
    expect(faultOf("UNDELIV", "delivrd")).toBe("settings.billable.1");
  });
});
