import { expect, test } from "vitest";
import { firstThatIsNot } from "../src/api/first.ts";

test("the first that is not declined is found however many were, with few questions", async () => {
  for (const declined of [0, 1, 2, 3, 7, 8, 100, 1_000, 65_537]) {
    let asked = 0;
    const first = await firstThatIsNot(async (number) => {
      asked++;
      return number <= declined;
    });
    expect(first).toBe(declined + 1);
    expect(asked).toBeLessThanOrEqual(40);
  }
});
