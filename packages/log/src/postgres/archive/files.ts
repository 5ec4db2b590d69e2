import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
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
  /** The file system gave nothing: what is on it may be as it was, and be had later. Else it was read, and is not what was written. */
  readonly isAway: boolean;

  constructor(path: string, cause: unknown) {
    const what = cause instanceof Error ? cause.message : String(cause);
    super(`archived events cannot be read, ${path}: ${what}`, { cause });
    this.isAway = cause instanceof Error && "syscall" in cause;
  }
}

/** The name of a file of events without its ending, below the folder, and the digest of its manifest. */
export type ArchiveFile = { readonly name: string; readonly sha256: string };

export const eventsOf = (folder: string, name: string): string => join(folder, `${name}.zst`);
const manifestOf = (folder: string, name: string): string => join(folder, `${name}.json`);

/**
 * Writes rows into a file with its manifest beside it, and both to the disk. They get their names when they are whole; the name has the digest of what is in it, so that nothing else ever has it. Until then
 * each writer has names of its own, which end in `.partial`: several may be at work in one folder. Nothing is left of them but by a crash.
 */
export async function writeArchive(
  folder: string,
  { own, database }: { readonly own: string; readonly database: string },
  pages: AsyncIterable<readonly ArchivedRow[]>,
): Promise<{ readonly file: ArchiveFile; readonly manifest: Manifest }> {
  await mkdir(join(folder, own), { recursive: true, mode: 0o750 });
  const blocks: BlockPlace[] = [];
  let offset = 0;
  const named = await writeAside(join(folder, own), async (file) => {
    for await (const rows of inBlocks(pages)) {
      const packed = await packBlock(rows);
      await file.writeFile(packed);
      const [first, last] = [rows[0]!.row[0], rows.at(-1)!.row[0]];
      const { length: bytes } = packed;
      blocks.push({ first, last, events: rows.length, offset, bytes, sha256: sha256(packed) });
      offset += bytes;
    }
    const [first, last] = [blocks[0]!.first, blocks.at(-1)!.last];
    const events = blocks.reduce((sum, block) => sum + block.events, 0);
    const manifest: Manifest = { format: 1, database, first, last, events, bytes: offset, blocks };
    const text = `${JSON.stringify(manifest, undefined, 1)}\n`;
    const digest = sha256(text);
    const name = join(own, `${pad(first)}-${pad(last)}-${digest.slice(0, 12)}`);
    return { path: eventsOf(folder, name), manifest, text, file: { name, sha256: digest } };
  });
  const { manifest, file } = named;
  await writeAside(join(folder, own), async (partial) => {
    await partial.writeFile(named.text);
    return { path: manifestOf(folder, file.name) };
  });
  await syncFolder(join(folder, own));
  await syncFolder(folder);
  return { file, manifest };
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

/** Writes a file that gets its name once it is on the disk; where anything fails there is none. */
async function writeAside<T extends { readonly path: string }>(
  folder: string,
  write: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const partial = join(folder, `${randomUUID()}.partial`);
  const file = await open(partial, "wx", 0o640);
  try {
    let written: T;
    try {
      written = await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, written.path);
    return written;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

export async function syncFolder(path: string): Promise<void> {
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
    throw new ArchiveDamaged(path, error);
  });
  if (sha256(text) !== file.sha256)
    throw new ArchiveDamaged(path, "it is not the one that was written");
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
    throw new ArchiveDamaged(path, error);
  }
}

/** Whether both files are there in their size, without reading the events. Throws ArchiveDamaged. */
export async function lookAtArchive(folder: string, file: ArchiveFile): Promise<Manifest> {
  const manifest = await readManifest(folder, file);
  const path = eventsOf(folder, file.name);
  const { size } = await stat(path).catch((error: unknown) => {
    throw new ArchiveDamaged(path, error);
  });
  if (size !== manifest.bytes)
    throw new ArchiveDamaged(path, `it has ${size} bytes, not ${manifest.bytes}`);
  return manifest;
}
