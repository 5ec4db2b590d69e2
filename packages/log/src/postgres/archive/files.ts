import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  fullBlocks,
  packBlock,
  sha256,
  unpackBlock,
  type ArchivedRow,
  type Block,
  type BlockPlace,
  type Manifest,
} from "./format.ts";

/** What is in the archive cannot be read: not there, or not as it was written. The message says what of it. */
export class ArchiveDamaged extends Error {
  override readonly name = "ArchiveDamaged";
}

/** The name of a file of events without its ending, below the folder, and the digest of its manifest. */
export type ArchiveFile = { readonly name: string; readonly sha256: string };

const eventsOf = (folder: string, name: string): string => join(folder, `${name}.zst`);
const manifestOf = (folder: string, name: string): string => join(folder, `${name}.json`);

/**
 * Writes rows into a file with its manifest beside it, and both to the disk. They get their names when they are whole; the name has the digest of what is in it, so that nothing else ever has it. What a crash leaves has
 * the ending `.partial`, and is written over.
 */
export async function writeArchive(
  folder: string,
  database: string,
  pages: AsyncIterable<readonly ArchivedRow[]>,
): Promise<{ readonly file: ArchiveFile; readonly manifest: Manifest }> {
  await mkdir(join(folder, database), { recursive: true, mode: 0o700 });
  const partial = join(folder, database, "events.partial");
  const blocks: BlockPlace[] = [];
  let offset = 0;
  const file = await open(partial, "w", 0o600);
  try {
    for await (const rows of inBlocks(pages)) {
      const packed = await packBlock(rows);
      await file.writeFile(packed);
      const [first, last] = [rows[0]!.row[0], rows.at(-1)!.row[0]];
      const { length: bytes } = packed;
      blocks.push({ first, last, events: rows.length, offset, bytes, sha256: sha256(packed) });
      offset += bytes;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  const [first, last] = [blocks[0]!.first, blocks.at(-1)!.last];
  const events = blocks.reduce((sum, block) => sum + block.events, 0);
  const manifest: Manifest = { format: 1, database, first, last, events, bytes: offset, blocks };
  const text = `${JSON.stringify(manifest, undefined, 1)}\n`;
  const digest = sha256(text);
  const name = join(database, `${pad(first)}-${pad(last)}-${digest.slice(0, 12)}`);
  await rename(partial, eventsOf(folder, name));
  await writeWhole(manifestOf(folder, name), text);
  await syncFolder(join(folder, database));
  await syncFolder(folder);
  return { file: { name, sha256: digest }, manifest };
}

const pad = (position: string): string => position.padStart(16, "0");

async function* inBlocks(
  pages: AsyncIterable<readonly ArchivedRow[]>,
): AsyncGenerator<readonly ArchivedRow[]> {
  let left: readonly ArchivedRow[] = [];
  for await (const page of pages) {
    const { blocks, rest } = fullBlocks([...left, ...page]);
    yield* blocks;
    left = rest;
  }
  if (left.length > 0) yield left;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(`${path}.partial`, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.partial`, path);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Throws ArchiveDamaged where it is not the one that was written. */
export async function readManifest(folder: string, file: ArchiveFile): Promise<Manifest> {
  const path = manifestOf(folder, file.name);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw damaged(path, error);
  });
  if (sha256(text) !== file.sha256) throw damaged(path, "it is not the one that was written");
  return JSON.parse(text) as Manifest;
}

/** Throws ArchiveDamaged where it is not the one that was written. */
export async function readBlock(
  folder: string,
  { name }: ArchiveFile,
  { offset, bytes, sha256: expected, events }: BlockPlace,
): Promise<Block> {
  const path = eventsOf(folder, name);
  try {
    const packed = Buffer.alloc(bytes);
    const file = await open(path);
    try {
      await file.read(packed, 0, bytes, offset);
    } finally {
      await file.close();
    }
    if (sha256(packed) !== expected) throw new Error(`the block at ${offset} was changed`);
    const block = await unpackBlock(packed);
    if (block.positions.length !== events)
      throw new Error(`the block at ${offset} has ${block.positions.length} events, not ${events}`);
    return block;
  } catch (error) {
    throw damaged(path, error);
  }
}

/** Whether both files are there in their size, without reading the events. Throws ArchiveDamaged. */
export async function lookAtArchive(folder: string, file: ArchiveFile): Promise<Manifest> {
  const manifest = await readManifest(folder, file);
  const path = eventsOf(folder, file.name);
  const { size } = await stat(path).catch((error: unknown) => {
    throw damaged(path, error);
  });
  if (size !== manifest.bytes) throw damaged(path, `it has ${size} bytes, not ${manifest.bytes}`);
  return manifest;
}

const damaged = (path: string, error: unknown): ArchiveDamaged =>
  new ArchiveDamaged(
    `archived events cannot be read, ${path}: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
