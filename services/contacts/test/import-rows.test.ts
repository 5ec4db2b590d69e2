import { describe, expect, test } from "vitest";
import { stringify } from "csv-stringify/sync";
import { readCell, writeCell } from "@heliograph/api";
import { runningCells } from "@heliograph/testkit";
import { readRows, refusalOf, type Format, type ImportRow } from "../src/imports/rows.ts";
import fc from "fast-check";

/** In pieces of a few bytes, so that nothing depends on where they are cut. */
async function* inPieces(bytes: Buffer, size = 7): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function rows(text: string | Buffer, format: Format = "csv"): Promise<ImportRow[]> {
  const found: ImportRow[] = [];
  for await (const row of readRows(format, inPieces(Buffer.from(text)))) found.push(row);
  return found;
}
const inputs = async (text: string | Buffer, format?: Format) =>
  (await rows(text, format)).map((row) => ("input" in row ? row.input : row.fault.code));
const sms = (id: string) => ({ source: "sms", id });
const refused = (text: string | Buffer): string | undefined =>
  refusalOf("csv", Buffer.from(text))?.errors[0]?.message;

describe("rows of a CSV file", () => {
  test("a byte order mark does not eat the first column", async () => {
    const text = "name,phone\nAda,+15551234567\n";
    const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]);
    expect(refused(marked)).toBeUndefined();
    expect(await inputs(marked)).toEqual(await inputs(text));
    expect(await inputs(text)).toEqual([{ name: "Ada", external_ids: [sms("+15551234567")] }]);
  });

  test("a row that is no UTF-8 fails alone with its line, and no character is replaced", async () => {
    const lines = Array.from({ length: 100 }, (_, index) => Buffer.from(`name ${index + 1}\n`));
    lines[39] = Buffer.from([0x41, 0x96, 0x42, 0x0a]);
    const found = await rows(Buffer.concat([Buffer.from("name\n"), ...lines]));
    expect(found).toHaveLength(100);
    expect(found.filter((row) => "fault" in row)).toEqual([
      {
        row: 40,
        line: 41,
        fault: { field: "", code: "invalid_encoding", message: expect.any(String) },
      },
    ]);
  });

  test("an attribute with a name that objects cannot be given fails its row instead of being lost", async () => {
    const attributes = '{"__proto__":"x"}';
    const csv = `name,attribute.__proto__,attributes\nAda,x,\nBea,,"${attributes.replaceAll('"', '""')}"\n"Cy ""__proto__"":",,\n`;
    expect(await inputs(csv)).toEqual([
      "invalid_value",
      "invalid_value",
      { name: 'Cy "__proto__":' },
    ]);
    const lines = `{"name":"Ada","attributes":${attributes}}\n{"name":"Bea","attributes":{"a":"b"}}\n`;
    expect(await inputs(lines, "ndjson")).toEqual([
      "invalid_value",
      { name: "Bea", attributes: { a: "b" } },
    ]);
  });

  test("a file with semicolons or tabs is read by its head, and one with neither is refused for it", async () => {
    const expected = [{ name: "Ada", external_ids: [sms("+15551234567")] }];
    expect(await inputs("name;phone\nAda;+15551234567\n")).toEqual(expected);
    expect(await inputs("name\tphone\nAda\t+15551234567\n")).toEqual(expected);
    expect(refused("name|phone\nx|y\n")).toContain('"name|phone"');
  });

  test("a line break in quotes is no new row, and lines of errors are those of the file", async () => {
    const found = await rows(
      'name,phone\r\n"Carol","+1555\r\n1234567"\r\n\r\n"Carl\nos",\nBad,x,y,z\nDan,\n',
    );
    expect(found.map(({ row, line }) => [row, line])).toEqual([
      [1, 2],
      [2, 5],
      [3, 7],
      [4, 8],
    ]);
    expect(found[1]).toMatchObject({ input: { name: "Carl\nos" } });
    expect(found[2]).toMatchObject({ fault: { code: "too_many_cells" } });
  });

  test("an empty cell says nothing, and takes no value of the row before", async () => {
    expect(await inputs("name,email\nAda,a@b.example\nBo,\n")).toEqual([
      { name: "Ada", external_ids: [{ source: "email", id: "a@b.example" }] },
      { name: "Bo" },
    ]);
  });

  test("an unknown column refuses the file and is never lost", () => {
    expect(refused("name,Shoe Size\nAda,40\n")).toContain('"Shoe Size"');
    expect(refused("name,name\n")).toContain("twice");
    expect(refused("source,name\n")).toContain("belong together");
    expect(refused("name,Phone Number\n")).toBeUndefined();
  });

  test("a row with nothing but a number is a contact, one with nothing at all an error", async () => {
    expect(await inputs("name,Phone Number\n,+15551234567\n , \n")).toEqual([
      { external_ids: [sms("+15551234567")] },
      "required",
    ]);
  });

  test("separators of numbers do not count, and what a spreadsheet made of a number is not guessed", async () => {
    const ids = (await inputs("phone\n+1 (555) 123-4567\n4.4791E+11\n0444123456\n")).map(
      (input) => typeof input === "object" && input.external_ids?.[0]?.id,
    );
    expect(ids).toEqual(["+15551234567", "4.4791E+11", "0444123456"]);
  });

  test("columns of attributes have types, tags are several, and other systems have their own columns", async () => {
    const head =
      "name,attribute.age:number,attribute.vip:boolean,attribute.plan,tags,external_id.crm,source,id";
    expect(await inputs(`${head}\nAda,36,TRUE,gold,"a; b",C-1,erp,7\nBo,old,,,,,,\n`)).toEqual([
      {
        name: "Ada",
        attributes: { age: 36, vip: true, plan: "gold" },
        tags: ["a", "b"],
        external_ids: [
          { source: "crm", id: "C-1" },
          { source: "erp", id: "7" },
        ],
      },
      "invalid_type",
    ]);
  });

  test("the file ends where a quote is not closed, and every row before it counts", async () => {
    expect(await inputs('name\n5" pipe\n')).toEqual([{ name: '5" pipe' }]);
    const long = `name\n${"x\n".repeat(1_000)}`;
    for (const end of ['"never closed\ny\n', '"a"b\nc\n', `"${"long ".repeat(50_000)}`]) {
      const found: ImportRow[] = [];
      const reading = (async () => {
        for await (const row of readRows("csv", inPieces(Buffer.from(long + end), 50_000)))
          found.push(row);
      })();
      await expect(reading).rejects.toThrow("Line 1002 or below");
      expect(found).toHaveLength(1_000);
    }
  });

  test("a NUL character fails its row: no table takes it", async () => {
    expect(await inputs("name\na\0b\nc\n")).toEqual(["invalid_value", { name: "c" }]);
    expect(await inputs('{"name":"a\\u0000"}\n', "ndjson")).toEqual(["invalid_value"]);
  });
});

describe("rows of an NDJSON file", () => {
  test("has objects of contacts in its lines, those of an export too", async () => {
    const exported = {
      id: "cnt_1",
      name: "Ada",
      language: null,
      external_ids: [{ source: "sms", id: "+15551234567", added_at: "2026-01-01T00:00:00Z" }],
      created_at: "x",
      updated_at: "x",
    };
    const text = `\ufeff${JSON.stringify(exported)}\r\n\n{"name":"=Bo"}\n[1]\n{"nam":1}\nnonsense`;
    expect(await inputs(text, "ndjson")).toEqual([
      { name: "Ada", external_ids: [sms("+15551234567")] },
      { name: "=Bo" },
      "invalid_type",
      "unknown_field",
      "malformed_json",
    ]);
    expect((await rows(text, "ndjson")).map(({ line }) => line)).toEqual([1, 3, 4, 5, 6]);
  });

  test("says what is wrong with a row in the words and by the codes that a request is refused with", async () => {
    const text = `{"name":5}\n{"nam":"Ada"}\n{"external_ids":[{"source":"sms"}]}\n{"language":"nowhere at all"}`;
    const faults = (await rows(text, "ndjson")).map((row) => "fault" in row && row.fault);
    expect(faults).toEqual([
      { field: "name", code: "invalid_type", message: "must be text" },
      { field: "nam", code: "unknown_field", message: "this field does not exist" },
      { field: "external_ids.0.id", code: "required", message: "is required" },
      expect.objectContaining({ field: "language" }),
    ]);
    expect(JSON.stringify(faults)).not.toMatch(/Invalid input|expected|Unrecognized/);
  });
});

test.each(['=HYPERLINK("http://x")', "+1555", "@x", "\tx", "-5", "＝x", "'=x"])(
  "%s runs in no spreadsheet, and is read back as it was",
  (text) => {
    expect(writeCell(text)).toBe(`'${text}`);
    expect(readCell(writeCell(text))).toBe(text);
  },
);
test.each([
  ["x;=1+1", "x;'=1+1"],
  ['x;"=1+1', "x;'\"=1+1"],
  ["x\t@y", "x\t'@y"],
  ["one\n-two\r\nthree", "one\n'-two\r\nthree"],
  ["a;'=b", "a;''=b"],
  ["a,-b; c", "a,-b; c"],
])("%j runs behind no separator of another country", (text, cell) => {
  expect(writeCell(text)).toBe(cell);
  expect(readCell(cell)).toBe(text);
});
test("what is written to a cell is read back as it was, and runs in no spreadsheet, whatever it is", () => {
  const unit = fc.constantFrom("'", '"', ",", ";", "\t", "\r", "\n", "=", "a", "-", " ", "+");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
      expect(readCell(writeCell(text))).toBe(text);
      const options = { record_delimiter: "windows" } as const;
      expect(runningCells(stringify([["x", writeCell(text), "-0.5"]], options))).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
