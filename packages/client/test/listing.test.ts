import { expect, test } from "vitest";
import { CursorError, HeliographError } from "../src/index.ts";
import { listing } from "../src/listing.ts";

type Page = { readonly data: readonly number[]; readonly next_cursor: string | null };
const over = (pages: Readonly<Record<string, Page>>) =>
  listing<number, Page>(async (after = "first") => pages[after]!);

test("a list is read to its end, over pages that are empty", async () => {
  const list = over({
    first: { data: [1, 2], next_cursor: "a" },
    a: { data: [], next_cursor: "b" },
    b: { data: [3], next_cursor: null },
  });
  expect(await list.all(3)).toEqual([1, 2, 3]);
  expect(await list.page()).toEqual({ data: [1, 2], next_cursor: "a" });
  await expect(list.all(2)).rejects.toBeInstanceOf(HeliographError);
});

test("a list that leads in a circle is an error, whatever the circle's length", async () => {
  const page = (next_cursor: string): Page => ({ data: [0], next_cursor });
  await expect(over({ first: page("a"), a: page("a") }).all(99)).rejects.toBeInstanceOf(
    CursorError,
  );
  const two = over({ first: page("a"), a: page("b"), b: page("a") });
  await expect(two.all(99)).rejects.toBeInstanceOf(CursorError);
});

test("nothing is asked before something is read, nor more than is read", async () => {
  let asked = 0;
  const list = listing<number, Page>(async () => {
    asked += 1;
    return { data: [1], next_cursor: String(asked) };
  });
  expect(asked).toBe(0);
  for await (const entry of list) {
    expect(entry).toBe(1);
    if (asked === 2) break;
  }
  expect(asked).toBe(2);
});
