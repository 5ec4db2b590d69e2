import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { firstStartVariable, madeOnce } from "../src/first-start.ts";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "heliograph-first-"));
  vi.stubEnv(firstStartVariable, home);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

/** Three who need the same at once: where they find it, and how many of them made it. */
async function needed(name: string) {
  let made = 0;
  const need = () => madeOnce(name, async () => void made++);
  return { found: await Promise.all([need(), need(), need()]), made };
}

test("what several need at once is made by one of them", async () => {
  const place = join(home, "a");
  expect(await needed("a")).toEqual({ found: [place, place, place], made: 1 });
});

test("what a process left half made is made by another", async () => {
  mkdirSync(join(home, "b.making-0"));
  // Above the largest number that Linux gives a process.
  writeFileSync(join(home, "b.maker-0"), String(2 ** 22 + 1));
  const place = join(home, "b");
  expect(await needed("b")).toEqual({ found: [place, place, place], made: 1 });
});

test("who fails to make it says so, and the next one does", async () => {
  const failing = madeOnce("c", () => Promise.reject(new Error("no disk")));
  const next = needed("c");
  await expect(failing).rejects.toThrow("no disk");
  expect((await next).made).toBe(1);
});
