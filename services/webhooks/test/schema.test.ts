import { describe, expect, test } from "vitest";
import { CreateEndpoint } from "../src/api/schema.ts";

/** Where the settings are refused; empty when they are taken. */
const refusedAt = (settings: object): readonly string[] => {
  const { error } = CreateEndpoint.safeParse({ url: "https://example.com/", ...settings });
  return [...new Set((error?.issues ?? []).map(({ path }) => String(path[0])))];
};

describe("an endpoint is made", () => {
  test.each([
    [{ event_types: ["message.*", "contact.erased"] }],
    [{ filters: { channels: ["sms"], tags: ["a b"], metadata: { shop: ["a", 5, true], x: "" } } }],
  ])("with %j", (settings) => expect(refusedAt(settings)).toEqual([]));
});

describe("an endpoint is not made", () => {
  test.each(["message", "*", "message.*.sent", "letter.*"])("for the event type %s", (type) =>
    expect(refusedAt({ event_types: [type] })).toEqual(["event_types"]),
  );

  test.each([
    {},
    { channels: [] },
    { channels: ["fax"] },
    { tags: ["a".repeat(65)] },
    { metadata: {} },
    { metadata: { order: null } },
    { metadata: { order: { id: 1 } } },
    { metadata: Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`k${at}`, 1])) },
    { metadata: { order: Array.from({ length: 20 }, (_, at) => `${at}`.padEnd(255, "x")) } },
    { colour: "red" },
  ])("with the filters %j", (filters) => expect(refusedAt({ filters })).toEqual(["filters"]));
});
