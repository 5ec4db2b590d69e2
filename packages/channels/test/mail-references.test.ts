import { mailReferences } from "@heliograph/channels";
import fc from "fast-check";
import { expect, test } from "vitest";

const idOf = (index: number, length = 30): string =>
  `<${String(index).padStart(length - 14, "0")}@mail.example>`;
const ids = (from: number, to: number, length?: number): readonly string[] =>
  Array.from({ length: to - from }, (_, index) => idOf(from + index, length));

test.each([
  ["<a@x.example> <b@x.example>", ["<a@x.example>", "<b@x.example>"]],
  ["<a@x.example><b@x.example>", ["<a@x.example>", "<b@x.example>"]],
  ["<a@x.\r\n example>\r\n\t<b@x.example>", ["<a@x.example>", "<b@x.example>"]],
  ["(a comment) <a@x.example> <a@x.example>, <no id> <b@x.example", ["<a@x.example>"]],
  [`<${"x".repeat(250)}@x.example> <a@x.example>`, ["<a@x.example>"]],
  ["nothing", []],
])("The header %j refers to %j", (references, expected) => {
  expect(mailReferences({ references })).toEqual(expected);
});

test("In-Reply-To counts where there are no References and it names one mail alone", () => {
  const inReplyTo = "<b@x.example>";
  expect(mailReferences({ inReplyTo })).toEqual([inReplyTo]);
  expect(mailReferences({ inReplyTo, references: "<a@x.example>" })).toEqual(["<a@x.example>"]);
  expect(mailReferences({ inReplyTo: "<a@x.example> <b@x.example>" })).toEqual([]);
  expect(mailReferences({})).toEqual([]);
});

test("A long chain keeps its first id and as many of the latest as fit, in their order", () => {
  const kept = mailReferences({ references: ids(0, 500).join(" ") });
  expect(kept).toEqual([idOf(0), ...ids(481, 500)]);
  const long = mailReferences({ references: ids(0, 40, 240).join(" ") });
  expect(long).toEqual([idOf(0, 240), ...ids(33, 40, 240)]);
});

test("Whatever the headers are, what is read stays bounded and is read from itself again", () => {
  const piece = fc.oneof(
    fc.nat(60).map((index) => idOf(index)),
    fc.constantFrom("<", ">", " ", "\r\n ", "@", "<<", "<@>", "(x)"),
    fc.string({ maxLength: 20 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 80 }), fc.string(), (pieces, inReplyTo) => {
      const read = mailReferences({ references: pieces.join(""), inReplyTo });
      expect(read.length).toBeLessThanOrEqual(20);
      expect(read.join("").length).toBeLessThanOrEqual(2_000);
      expect(new Set(read).size).toBe(read.length);
      expect(mailReferences({ references: read.join(" ") })).toEqual(read);
    }),
    { numRuns: 500 },
  );
});
