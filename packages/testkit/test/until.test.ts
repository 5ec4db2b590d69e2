import { expect, test } from "vitest";
import { until } from "../src/index.ts";

test("until returns the first value that is there, and 0 and the empty text are values", async () => {
  const values = [undefined, null, false, 0];
  expect(await until(() => values.shift())).toBe(0);
  expect(await until(async () => "")).toBe("");
});

test("until asks again after an error and names what it waited for when the deadline passes", async () => {
  let asked = 0;
  const value = await until(() => {
    if (++asked < 3) throw new Error("not yet");
    return asked;
  });
  expect(value).toBe(3);
  const failing = until(() => Promise.reject(new Error("refused")), {
    timeoutMs: 30,
    what: "the receipt",
  });
  await expect(failing).rejects.toThrow("not within 30 ms: the receipt (last: refused)");
});
