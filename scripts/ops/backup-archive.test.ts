import { hash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { copyArchive } from "./backup-archive.ts";

const calm = new AbortController().signal;

/** A folder of archives with one file of two blocks, as a database has it. */
function archiveFolder() {
  const root = mkdtempSync(join(tmpdir(), "heliograph-archive-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const from = join(root, "archive");
  mkdirSync(join(from, "h_live"), { recursive: true });
  const parts = [Buffer.from("first"), Buffer.from("second block")];
  const blocks = parts.map((part, index) => ({
    offset: index === 0 ? 0 : parts[0]!.length,
    bytes: part.length,
    sha256: hash("sha256", part, "hex"),
  }));
  const file = join(from, "h_live", "1-9.zst");
  writeFileSync(file, Buffer.concat(parts));
  writeFileSync(join(from, "h_live", "1-9.json"), JSON.stringify({ blocks }));
  writeFileSync(join(from, "h_live", "x.partial"), "half");
  return { root, from, file };
}

test("archived events are copied once: a later backup links the files that an earlier one has, and copies those that differ", async () => {
  const { root, from } = archiveFolder();
  const [first, second] = [join(root, "first"), join(root, "second")];
  await copyArchive(from, first, undefined, calm);
  expect(readdirSync(join(first, "h_live")).toSorted()).toEqual(["1-9.json", "1-9.zst"]);
  writeFileSync(join(first, "h_live", "1-9.json"), "cut off");
  await copyArchive(from, second, first, calm);
  const inode = (folder: string, name: string) => statSync(join(folder, "h_live", name)).ino;
  expect(inode(second, "1-9.zst")).toBe(inode(first, "1-9.zst"));
  expect(inode(second, "1-9.zst")).not.toBe(inode(from, "1-9.zst"));
  expect(inode(second, "1-9.json")).not.toBe(inode(first, "1-9.json"));
});

test("a file that was damaged where it is copied from is no backup, and neither is one that was interrupted", async () => {
  const { root, from, file } = archiveFolder();
  writeFileSync(file, "firstSecond block");
  await expect(copyArchive(from, join(root, "copy"), undefined, calm)).rejects.toThrow(
    /1-9\.zst is not what was written, at byte 5: take the file from an earlier backup/,
  );
  const interrupted = AbortSignal.abort(new Error("interrupted"));
  await expect(copyArchive(from, join(root, "other"), undefined, interrupted)).rejects.toThrow(
    "interrupted",
  );
});
