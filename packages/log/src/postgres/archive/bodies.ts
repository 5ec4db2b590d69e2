import { LogUnavailable } from "../../types.ts";
import { bodyBytes } from "../rows.ts";
import { ArchiveDamaged, readBlock, readManifest, type ArchiveFile } from "./files.ts";
import { placesOf, type Block, type Body, type Places } from "./format.ts";

/** Blocks that were read last, in bytes unpacked: what several consumers catch up over is read once. */
const KEPT_BYTES = 32 * 1_048_576;
/** Places of files that were read last, some 25 KB each. */
const KEPT_FILES = 1_000;

const FIND = `select first, last, file, encode(sha256, 'hex') from log.archives where first <= $1 and last >= $1
  order by state = 'restored', archived_at desc limit 1`;

/** Where things are in rows that a statement gave: the first column of the event, and the running sum of sizes where there is one. */
export type Columns = { readonly event: number; readonly through?: number };

/** Brings the bodies of archived events back into rows that have the rest of them. */
export type Bodies = {
  /**
   * The same rows where none is archived. Else those that come first, as many as stay below `pageBytes` and the one that crosses it, with the running sums made anew. Where a body is not what was written, the reason stands
   * as the event's metadata, and its data stay empty: `toEvent` makes an unreadable event of it. Throws LogUnavailable where a file cannot be had.
   */
  fill(rows: string[][], columns: Columns, pageBytes: number): Promise<string[][]>;
};

type Found = ArchiveFile & { readonly first: bigint; readonly last: bigint };
type Opened = { readonly found: Found; readonly places: Promise<Places> };
type Query = (text: string, values: unknown[]) => Promise<string[][]>;
/** A part of the log that cannot be read from its file. */
type Damage = { readonly first: bigint; readonly last: bigint; readonly error: ArchiveDamaged };

/** An archived event has no data in the table, which no event is stored with. */
export const isArchived = (row: readonly string[], event: number): boolean => row[event + 7] === "";

/** The files of archived events, by what the database says of them. */
function openFiles(query: Query, folder: string | undefined) {
  /** By name; the one used last is the last. */
  const files = new Map<string, Opened>();

  function use(opened: Opened): Opened {
    const { name } = opened.found;
    files.delete(name);
    files.set(name, opened);
    if (files.size > KEPT_FILES) files.delete(files.keys().next().value!);
    return opened;
  }

  async function fileOf(position: bigint): Promise<Opened> {
    for (const opened of files.values())
      if (opened.found.first <= position && position <= opened.found.last) return use(opened);
    if (folder === undefined)
      throw new LogUnavailable("the events are archived, and no folder of archives is known");
    const [row] = await query(FIND, [position.toString()]);
    if (row === undefined)
      throw new LogUnavailable(`no archive is known that has the event at position ${position}`);
    const [first, last, name, sha256] = row as [string, string, string, string];
    // Somebody else may have looked for it meanwhile.
    const known = files.get(name);
    if (known !== undefined) return use(known);
    const found: Found = { first: BigInt(first), last: BigInt(last), name, sha256 };
    const places = readManifest(folder, found).then(placesOf);
    places.catch(() => {});
    return use({ found, places });
  }

  return { of: fileOf, forget: (name: string) => void files.delete(name) };
}

export function openBodies(
  query: Query,
  folder: string | undefined,
  failed: () => void = () => {},
): Bodies {
  const blocks = new BlockCache();
  const files = openFiles(query, folder);

  async function blockIn({ found, places }: Opened, position: bigint): Promise<Block | Damage> {
    let range: Pick<Damage, "first" | "last"> = found;
    try {
      const place = (await places).at(position);
      if (place === undefined)
        throw new ArchiveDamaged(found.name, `it has no event at position ${position}`);
      range = { first: BigInt(place.first), last: BigInt(place.last) };
      const key = `${found.name}/${place.offset}`;
      return await blocks.get(key, () => readBlock(folder!, found, place));
    } catch (error) {
      if (!(error instanceof ArchiveDamaged)) throw error;
      return { ...range, error };
    }
  }

  async function blockOf(position: bigint): Promise<Block | Damage> {
    const opened = await files.of(position);
    let block = await blockIn(opened, position);
    if ("has" in block) return block;
    // It may have been restored and deleted, and archived again in another file. And what cannot be had now may be later.
    files.forget(opened.found.name);
    const other = await files.of(position);
    if (other.found.name !== opened.found.name) block = await blockIn(other, position);
    if (!("has" in block)) failed();
    // Whoever reads waits, as for a database that is away: nothing may look as if it were not there.
    if (!("has" in block) && block.error.isAway)
      throw new LogUnavailable(block.error.message, { cause: block.error });
    return block;
  }

  return {
    async fill(rows, { event, through }, pageBytes) {
      if (!rows.some((row) => isArchived(row, event))) return rows;
      const filled: string[][] = [];
      let bytes = 0;
      let block: Block | Damage | undefined;
      for (const row of rows) {
        if (isArchived(row, event)) {
          const position = row[event]!;
          if (block === undefined || !reaches(block, position))
            block = await blockOf(BigInt(position));
          const body = bodyIn(block, position, row[event + 1]!);
          row[event + 7] = body.data;
          row[event + 8] = body.metadata;
        }
        filled.push(row);
        if (through === undefined) continue;
        bytes += bodyBytes(row[event + 7]!, row[event + 8]!);
        row[through] = String(bytes);
        if (bytes >= pageBytes) break;
      }
      return filled;
    },
  };
}

const reaches = (block: Block | Damage, position: string): boolean =>
  "has" in block
    ? block.has(position)
    : block.first <= BigInt(position) && BigInt(position) <= block.last;

const bodyIn = (block: Block | Damage, position: string, id: string): Body =>
  "has" in block
    ? (block.bodyOf(position, id) ?? {
        data: "",
        metadata: `the archive has another event at position ${position}`,
      })
    : { data: "", metadata: block.error.message };

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
