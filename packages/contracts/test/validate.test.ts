import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { eventDefinitions, eventSchema, readEventFlaw, validateEvent } from "../src/index.ts";

test.each(eventDefinitions.map((definition) => [definition.type, definition] as const))(
  "the schema of %s is JSON Schema 2020-12 and can be compiled",
  (_, definition) => {
    const ajv = new Ajv2020({ strict: false });
    const schema = eventSchema(definition);
    expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
    expect(ajv.compile(schema)).toBeTypeOf("function");
  },
);

test("data that does not fit is answered with where and why, unknown types and versions with their name", () => {
  const data = { covers: "0", available: "1", held: "0", currency: "USD", entries: [] };
  expect(validateEvent({ type: "FundsHeld", data: { ...data, available: 1 } })).toMatch(
    /^FundsHeld\/available must be string/,
  );
  expect(validateEvent({ type: "FundsHeld", data: {} })).toMatch(/required property/);
  expect(validateEvent({ type: "NoSuch", data })).toBe("unknown event type NoSuch version 1");
  expect(validateEvent({ type: "FundsHeld", version: 99, data })).toBe(
    "unknown event type FundsHeld version 99",
  );
});

test("an event that a later version wrote is read without a flaw unless its version is unknown; a damaged one is not", () => {
  const entries = [{ message_id: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C", amount: "1", tone: "warm" }];
  const data = { covers: "0", available: "1", held: "0", currency: "USD", entries, mood: "good" };
  expect(validateEvent({ type: "FundsHeld", data })).toMatch(/additional properties/);
  expect(readEventFlaw({ type: "FundsHeld", data })).toBeUndefined();
  expect(readEventFlaw({ type: "NoSuch", data })).toBeUndefined();
  expect(readEventFlaw({ type: "FundsHeld", version: 99, data })).toMatch(/unknown .* version 99/);
  expect(readEventFlaw({ type: "FundsHeld", data: { ...data, held: 0 } })).toMatch(/held must be/);
  expect(readEventFlaw({ type: "FundsHeld", data: null as unknown as object })).toMatch(/must be/);
});
