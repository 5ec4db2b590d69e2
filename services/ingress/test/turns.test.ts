import { expect, test } from "vitest";
import { Turns } from "../src/messages/turns.ts";

test("partners take turns, whoever came with more", async () => {
  const turns = new Turns(1);
  const order: string[] = [];
  const first = await turns.take("a");
  const slices = ["a", "a", "a", "b", "c", "c"].map(async (name) => {
    const end = await turns.take(name);
    order.push(name);
    end();
  });
  first();
  await Promise.all(slices);
  expect(order.join("")).toBe("abcaca");
});

test("no more go at once than may, and all go in the end", async () => {
  const turns = new Turns(2);
  let going = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const end = await turns.take(`p${index % 7}`);
      most = Math.max(most, ++going);
      await Promise.resolve();
      going--;
      end();
    }),
  );
  expect([most, going]).toEqual([2, 0]);
});

test("what waits of one is bounded, and takes nothing from another", async () => {
  const turns = new Turns(1, 2);
  const end = await turns.take("a");
  const order: string[] = [];
  const waiting = ["a", "a", "b"].map(async (name) => {
    const done = await turns.take(name);
    order.push(name);
    done();
  });
  await expect(turns.take("a")).rejects.toMatchObject({
    code: "rate_limited",
    retryAfterSeconds: 1,
  });
  end();
  await Promise.all(waiting);
  expect(order).toEqual(["a", "b", "a"]);
});
