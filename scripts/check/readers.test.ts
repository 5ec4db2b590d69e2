import { lifecycleSchemas } from "@heliograph/domain";
import { expect, test } from "vitest";
import { checkReaders, type ReadSchema } from "./readers.ts";

const event = (more: ReadSchema = {}): ReadSchema => ({
  type: "object",
  properties: {
    to: { type: "string" },
    status: { enum: ["sent", "read"], type: "string" },
    text: { anyOf: [{ type: "string" }, { type: "null" }] },
    media: { type: "array", items: { type: "object", properties: { url: { type: "string" } } } },
    ...more.properties,
  },
  required: ["to", "status"],
  ...(more.required && { required: more.required }),
});
const breaks = (after: ReadSchema): readonly string[] =>
  checkReaders({ "message.sent": event() }, { "message.sent": after });

test("what readers of the last release rely on holds", () => {
  expect(checkReaders()).toEqual([]);
  expect(Object.keys(lifecycleSchemas())).toContain("message.sent");
});

test.each<[string, ReadSchema]>([
  ["nothing", event()],
  ["a field that is added", event({ properties: { cost: { type: "string" } } })],
  ["one that is never missing any more", event({ required: ["to", "status", "text"] })],
  ["fewer values", event({ properties: { status: { const: "sent", type: "string" } } })],
  ["what is never null any more", event({ properties: { text: { type: "string" } } })],
])("%s breaks no reader", (_, after) => expect(breaks(after)).toEqual([]));

const without = ({ properties: { text: _, ...properties } = {}, ...rest }: ReadSchema) => ({
  ...rest,
  properties,
});
test.each<[string, ReadSchema, string]>([
  ["a field that is gone", without(event()), "message.sent.text is gone"],
  [
    "one that may be missing",
    event({ required: ["to"] }),
    "message.sent.status may be missing now",
  ],
  [
    "another type",
    event({ properties: { to: { type: "number" } } }),
    "message.sent.to may be number now",
  ],
  ["no type", event({ properties: { to: {} } }), "message.sent.to may be anything now"],
  [
    "what may be null",
    event({ properties: { to: { anyOf: [{ type: "string" }, { type: "null" }] } } }),
    "message.sent.to may be null now",
  ],
  [
    "another value",
    event({ properties: { status: { enum: ["sent", "read", "lost"], type: "string" } } }),
    "message.sent.status has other values: lost",
  ],
  [
    "something else inside a list",
    event({ properties: { media: { type: "array", items: { type: "object" } } } }),
    "message.sent.media[].url is gone",
  ],
])("%s breaks readers", (_, after, message) => expect(breaks(after)).toEqual([message]));

test("a type that is gone breaks readers", () =>
  expect(checkReaders({ "message.sent": event() }, {})).toEqual(["message.sent is gone"]));
