import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readBlock, readManifest, writeArchive } from "../src/postgres/archive/files.ts";
import type { ArchivedRow } from "../src/postgres/archive/format.ts";

let archiveDir: string;
beforeAll(async () => {
  archiveDir = await mkdtemp(join(tmpdir(), "archive-files-"));
});
afterAll(() => rm(archiveDir, { recursive: true, force: true }));

const partials = async () =>
  (await readdir(archiveDir, { recursive: true })).filter((name) => name.endsWith(".partial"));

const rowAt = (position: number): ArchivedRow => ({
  row: [`${position}`, "id", "s", "0", "Type", "1", "0", `{"of":${position}}`, "{}"],
  chain: null,
});
const archiveOf = (pages: AsyncGenerator<readonly ArchivedRow[]>) =>
  writeArchive(archiveDir, { own: "shared-1", database: "shared" }, pages);

test("two writers at once in one folder have each its own file", async () => {
  // Each goes on only when the other has begun.
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const written = await Promise.all(
    [0, 1].map((which) =>
      archiveOf(
        (async function* () {
          begun[which]!.resolve();
          await begun[1 - which]!.promise;
          yield [rowAt(which + 1)];
        })(),
      ),
    ),
  );
  for (const [which, { file }] of written.entries()) {
    const { blocks } = await readManifest(archiveDir, file);
    const block = await readBlock(archiveDir, file, blocks[0]!);
    expect(block.at(`${which + 1}`)).toEqual(rowAt(which + 1));
  }
  expect(await partials()).toEqual([]);
});

test("what a full disk stops leaves nothing, and is said as it is", async () => {
  const broken = (async function* () {
    yield [rowAt(1)];
    throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write" });
  })();
  const failed = await archiveOf(broken).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "ENOSPC" });
  expect(await partials()).toEqual([]);
}, 30_000);
