import { LogUnavailable } from "../../types.ts";
import { readBlock, readManifest, type ArchiveFile } from "./files.ts";
import type { Block, BlockPlace, Manifest } from "./format.ts";

/** Blocks that were read last, in bytes unpacked: what several consumers catch up over is read once. */
const KEPT_BYTES = 32 * 1_048_576;
/** Manifests of files that were read last, some 60 KB each. */
const KEPT_FILES = 100;

const FIND = `select first, last, file, encode(sha256, 'hex') from log.archives where first <= $1 and last >= $1
  order by archived_at desc limit 1`;

/** Where things are in rows that a statement gave: the first column of the event, and the running sum of sizes where there is one. */
export type Columns = { readonly event: number; readonly through?: number };

/** Brings the bodies of archived events back into rows that have the rest of them. */
export type Bodies = {
  /** The same rows where none is archived. Else those that come first, as many as stay below `pageBytes` and the one that crosses it, with the running sums made anew. Throws LogUnavailable. */
  fill(rows: string[][], columns: Columns, pageBytes: number): Promise<string[][]>;
};

type Found = ArchiveFile & { readonly first: bigint; readonly last: bigint };
type Query = (text: string, values: unknown[]) => Promise<string[][]>;

/** An archived event has no data in the table, which no event is stored with. */
export const isArchived = (row: readonly string[], event: number): boolean => row[event + 7] === "";

export function openBodies(query: Query, folder: string | undefined): Bodies {
  const blocks = new BlockCache();
  /** The one read last is the last. */
  let files: { readonly found: Found; readonly manifest: Promise<Manifest> }[] = [];

  async function fileOf(position: bigint) {
    const known = files.find(({ found }) => found.first <= position && position <= found.last);
    if (known !== undefined) return known;
    if (folder === undefined)
      throw new LogUnavailable("the events are archived, and no folder of archives is known");
    const [row] = await query(FIND, [position.toString()]);
    if (row === undefined)
      throw new LogUnavailable(`no archive is known that has the event at position ${position}`);
    const [first, last, name, sha256] = row as [string, string, string, string];
    const found: Found = { first: BigInt(first), last: BigInt(last), name, sha256 };
    const manifest = readManifest(folder, found);
    const opened = { found, manifest };
    files = [...files.slice(1 - KEPT_FILES), opened];
    // A file that is not there now may be there later.
    manifest.catch(() => (files = files.filter((each) => each !== opened)));
    return opened;
  }

  async function blockOf(position: bigint): Promise<Block> {
    const { found, manifest } = await fileOf(position);
    const place = placeOf((await manifest).blocks, position);
    if (place === undefined)
      throw new LogUnavailable(`${found.name} has no event at position ${position}`);
    return blocks.get(`${found.name}/${place.offset}`, () => readBlock(folder!, found, place));
  }

  return {
    async fill(rows, { event, through }, pageBytes) {
      if (!rows.some((row) => isArchived(row, event))) return rows;
      const filled: string[][] = [];
      let bytes = 0;
      let block: Block | undefined;
      try {
        for (const row of rows) {
          if (isArchived(row, event)) {
            const position = row[event]!;
            if (!block?.has(position)) block = await blockOf(BigInt(position));
            const body = block.bodyOf(position, row[event + 1]!);
            if (body === undefined)
              throw new LogUnavailable(`the archive has another event at position ${position}`);
            row[event + 7] = body.data;
            row[event + 8] = body.metadata;
          }
          filled.push(row);
          if (through === undefined) continue;
          bytes += Buffer.byteLength(row[event + 7]!) + Buffer.byteLength(row[event + 8]!);
          row[through] = String(bytes);
          if (bytes >= pageBytes) break;
        }
      } catch (error) {
        if (error instanceof LogUnavailable) throw error;
        // Whoever reads waits, as for a database that is away: nothing may look as if it were not there.
        throw new LogUnavailable((error as Error).message, { cause: error });
      }
      return filled;
    },
  };
}

/** By halving: blocks stand in order. */
function placeOf(places: readonly BlockPlace[], position: bigint): BlockPlace | undefined {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (BigInt(places[middle]!.last) < position) low = middle + 1;
    else high = middle;
  }
  return places[low];
}

/** Keeps what was used last. */
class BlockCache {
  readonly #kept = new Map<string, { readonly block: Promise<Block>; bytes: number }>();
  #bytes = 0;

  get(key: string, read: () => Promise<Block>): Promise<Block> {
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known.block;
    }
    const entry = { block: read(), bytes: 0 };
    this.#kept.set(key, entry);
    entry.block.then(
      ({ bytes }) => {
        if (this.#kept.get(key) !== entry) return;
        entry.bytes = bytes;
        this.#bytes += bytes;
        this.#evict();
      },
      // What cannot be read now may be read later.
      () => this.#kept.get(key) === entry && this.#kept.delete(key),
    );
    return entry.block;
  }

  #evict(): void {
    for (const [key, { bytes }] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) return;
      this.#kept.delete(key);
      this.#bytes -= bytes;
    }
  }
}
