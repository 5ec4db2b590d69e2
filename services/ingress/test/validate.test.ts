import { PublicError } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { z } from "zod";
import { TimeInput, queryInt, hostService, routesOf, validate } from "@heliograph/api";
import { SendMessage } from "../src/messages/schema.ts";
import { services } from "../src/index.ts";

function refusal(schema: z.ZodType, value: unknown): string {
  try {
    validate(schema, value, "body");
  } catch (error) {
    if (error instanceof PublicError)
      return error.errors
        .map(({ path, code, message }) => `${path} | ${code} | ${message}`)
        .join("\n");
    throw error;
  }
  return "accepted";
}
const send = { channel: "sms", to: "+15551234567", text: "x" };

test.each([
  [{ ...send, to: 15551234567 }, "to | invalid_type | must be text"],
  [{ ...send, to: null }, "to | invalid_type | must be text"],
  [{ ...send, contact_id: 5 }, "contact_id | invalid_type | must be text"],
  [{ to: "x" }, "channel | required | is required"],
  [
    { ...send, channel: "fax" },
    "channel | invalid_value | must be one of sms, whatsapp, email, push, telegram, broadcast",
  ],
  [{ ...send, channel: 5 }, "channel | invalid_value | must be one of sms"],
  [{ ...send, text: "" }, "text | too_small | may not be empty"],
  [
    { ...send, client_ref: "x".repeat(256) },
    "client_ref | too_big | must have at most 255 characters",
  ],
  [{ ...send, priority: 4 }, "priority | too_big | must be at most 3"],
  [{ ...send, priority: 1.5 }, "priority | invalid_type | must be a whole number"],
  [{ ...send, priority: "1" }, "priority | invalid_type | must be a number"],
  [{ ...send, tags: "a" }, "tags | invalid_type | must be a list"],
  [{ ...send, tags: Array(21).fill("a") }, "tags | too_big | must have at most 20 items"],
  [{ ...send, tags: [1] }, "tags.0 | invalid_type | must be text"],
  [{ ...send, metadata: [] }, "metadata | invalid_type | must be an object"],
  [{ ...send, texts: "x" }, "texts | unknown_field | this field does not exist"],
  [{ ...send, template: 5 }, "template | invalid_type | must be text or an object"],
  [{ ...send, template: { slug: 5 } }, "template.slug | invalid_type | must be text"],
  [{ ...send, template: { slug: "a", v: 1 } }, "template.v | unknown_field"],
  [
    { ...send, variables: { a: {} } },
    "variables.a | invalid_type | must be text or a number or true or false",
  ],
])("%j tells which field is wrong, how, and in words", (value, expected) =>
  expect(refusal(SendMessage, value)).toContain(expected),
);

test("whole numbers of a query are decimal digits", () => {
  const schema = z.strictObject({ limit: queryInt(1, 100) });
  expect(validate(schema, { limit: "25" }, "query")).toEqual({ limit: 25 });
  for (const limit of ["0x10", "1e1", " 5", "", "5.0", "-1", "+5", "Infinity"])
    expect(refusal(schema, { limit })).toBe(
      "limit | invalid_format | must be a whole number from 1 to 100",
    );
  expect(refusal(schema, { limit: "101" })).toBe("limit | too_big | must be at most 100");
  expect(refusal(schema, { limit: ["1", "2"] })).toBe("limit | invalid_type | must be text");
  expect(() => validate(schema, { limit: ["1", "2"] }, "query")).toThrow("given more than once");
});

test("a time that is none is refused in words", () => {
  const schema = z.object({ at: TimeInput });
  expect(refusal(schema, { at: "2027-02-30T12:00:00Z" })).toBe(
    "at | invalid_format | must be an RFC 3339 time such as 2026-05-23T14:22:17Z",
  );
});

/** The validator's own words, in which no schema may speak. */
const ownWords = /\bexpected\b|Invalid|Too (?:big|small)|must match|pattern|received [a-z]|>=|<=/;

test("no schema of the API answers with the validator's own words", () => {
  const wrong = [
    undefined,
    null,
    5,
    1.5,
    -1,
    1e15,
    "",
    "\n",
    "x".repeat(300_000),
    true,
    [],
    [[]],
    {},
    Array(2_000).fill("x"),
  ];
  const offered = routesOf([...services, hostService]).flatMap((route) =>
    [route.body, route.query].flatMap((schema) =>
      schema instanceof z.ZodObject
        ? Object.keys(schema.shape).flatMap((name) =>
            wrong.map((value) => `${route.path} ${name}: ${refusal(schema, { [name]: value })}`),
          )
        : [],
    ),
  );
  expect(offered.length).toBeGreaterThan(500);
  expect(offered.filter((refused) => ownWords.test(refused))).toEqual([]);
});
