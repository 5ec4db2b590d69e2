import { expect, test } from "vitest";
import { base32ToUuid, uuid5, uuid7, uuidToBase32 } from "../src/ids.ts";

// By Python's uuid.uuid5(uuid.NAMESPACE_X500, …): ids that are stored must be the same for ever.
test.each([
  [["message"], "6195f79c-7693-5517-a770-21a655b5834c"],
  [["msg_1", "MessageSent"], "2eb620d8-8be9-5f31-9da4-a0379378cdfb"],
  [["Zürich", "😀", ""], "3bd429c7-75ae-580d-86a7-34ac28dec451"],
  [[""], "b4bdf874-8c03-5bd8-8fd7-5e409dfd82c0"],
  [["x".repeat(341)], "89958fe4-b2ce-532e-abc6-98b13e835aba"],
  [["x".repeat(342)], "b1ec3032-13d9-5a29-8035-e86f8d22ac69"],
  [["ä".repeat(600)], "b264b59b-731d-5ee6-b51e-141884ab8607"],
])("the name-based UUID of %j is the one of RFC 9562", (parts, uuid) => {
  expect(uuid5(...parts)).toBe(uuid);
  expect(uuid5(...parts)).toBe(uuid);
});

test.each([
  ["00000000-0000-0000-0000-000000000001", "00000000000000000000000001"],
  ["01234567-89ab-cdef-0123-456789abcdef", "014D2PF2DBSQQG28T5CY4TQKFF"],
  ["ffffffff-ffff-ffff-ffff-ffffffffffff", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"],
  ["80000001-4000-8001-8000-000140000001", "4000002G00G00R000005000001"],
])("%s is printed as 26 digits of base 32, and read again", (uuid, text) => {
  expect(uuidToBase32(uuid)).toBe(text);
  expect(uuidToBase32(uuid.toUpperCase())).toBe(text);
  expect(base32ToUuid(text)).toBe(uuid);
});

test("a new UUID is of version 7, begins with its millisecond, and is another one each time", () => {
  const before = Date.now();
  const made = Array.from({ length: 1_000 }, () => uuid7());
  const after = Date.now();
  expect(new Set(made).size).toBe(made.length);
  for (const uuid of made) {
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const ms = Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(after);
  }
});
