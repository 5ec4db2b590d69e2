import { hash } from "node:crypto";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import type { EventRow } from "../rows.ts";

/** An event as it stands in the table, with the hash of the chain's link where one ends. */
export type ArchivedRow = { readonly row: EventRow; readonly chain: string | null };

/**
 * A block is read and unpacked whole to get at one event of it: half a millisecond for a quarter of a MiB. Smaller ones would not take less room than they do, since what repeats from
 * event to event is packed within a block only.
 */
const BLOCK_EVENTS = 500;
const BLOCK_BYTES = 262_144;
/** A block is as large as the events in it, and one event has 1 MiB of JSON. Whoever claims more is no block. */
const MAX_BLOCK_BYTES = 16 * 1_048_576;

export type BlockPlace = {
  readonly first: string;
  readonly last: string;
  readonly events: number;
  readonly offset: number;
  readonly bytes: number;
  /** Of the packed bytes, in hexadecimal. */
  readonly sha256: string;
};

/** What stands beside a file of events, and says what is in it. The log's database has the digest of this text. */
export type Manifest = {
  readonly format: 1;
  readonly database: string;
  readonly first: string;
  readonly last: string;
  readonly events: number;
  readonly bytes: number;
  readonly blocks: readonly BlockPlace[];
};

/** Where the blocks of a file are, in a tenth of the room that a manifest takes. */
export type Places = { at(position: bigint): BlockPlace | undefined };

export function placesOf({ blocks }: Manifest): Places {
  const { length } = blocks;
  const bounds = BigInt64Array.from(
    blocks.flatMap(({ first, last }) => [BigInt(first), BigInt(last)]),
  );
  const sizes = Float64Array.from(
    blocks.flatMap(({ events, offset, bytes }) => [events, offset, bytes]),
  );
  const digests = Buffer.from(blocks.map((block) => block.sha256).join(""), "hex");
  return {
    at(position) {
      // By halving: blocks stand in order.
      let [low, high] = [0, length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (bounds[2 * middle + 1]! < position) low = middle + 1;
        else high = middle;
      }
      const [first, last] = bounds.subarray(2 * low, 2 * low + 2);
      if (first === undefined || first > position) return undefined;
      const [events, offset, bytes] = sizes.subarray(3 * low, 3 * low + 3) as unknown as Three;
      const digest = digests.toString("hex", 32 * low, 32 * low + 32);
      return { first: String(first), last: String(last), events, offset, bytes, sha256: digest };
    },
  };
}
type Three = readonly [number, number, number];

export const sha256 = (bytes: string | Uint8Array): string => hash("sha256", bytes, "hex");

type Key = readonly [
  position: string,
  id: string,
  stream: string,
  revision: string,
  type: string,
  version: string,
  recordedAt: string,
  chain: string | null,
  dataBytes: number,
  metadataBytes: number,
];

const sizeOf = ({ row }: ArchivedRow): number => row[7].length + row[8].length;

/** Divides rows into blocks: all of them that are full, and what is left over. */
export function fullBlocks(rows: readonly ArchivedRow[]): {
  readonly blocks: readonly (readonly ArchivedRow[])[];
  readonly rest: readonly ArchivedRow[];
} {
  const blocks: ArchivedRow[][] = [];
  let block: ArchivedRow[] = [];
  let bytes = 0;
  for (const each of rows) {
    block.push(each);
    bytes += sizeOf(each);
    if (block.length < BLOCK_EVENTS && bytes < BLOCK_BYTES) continue;
    blocks.push(block);
    block = [];
    bytes = 0;
  }
  return { blocks, rest: block };
}

/** One line of JSON with everything but the bodies and with their sizes, then the bodies as they are, one after the other. */
export function packBlock(rows: readonly ArchivedRow[]): Promise<Buffer> {
  const bodies: Buffer[] = [];
  const keys = rows.map(({ row, chain }): Key => {
    const data = Buffer.from(row[7]);
    const metadata = Buffer.from(row[8]);
    bodies.push(data, metadata);
    return [...(row.slice(0, 7) as Strings7), chain, data.length, metadata.length];
  });
  return promisify(zstdCompress)(
    Buffer.concat([Buffer.from(`${JSON.stringify(keys)}\n`), ...bodies]),
  );
}
type Strings7 = [string, string, string, string, string, string, string];

/** What a row has no more. */
export type Body = { readonly data: string; readonly metadata: string };

export type Block = {
  readonly bytes: number;
  readonly positions: readonly string[];
  has(position: string): boolean;
  /** What an event says; undefined where the block has none of this id at the position, and so is not of this log. */
  bodyOf(position: string, id: string): Body | undefined;
  /** The event at a position that the block has. */
  at(position: string): ArchivedRow;
  /** SHA-256 over the bodies: data and metadata of each event, a line feed between any two. */
  digest(): string;
};

/** Throws where the bytes are no block. */
export async function unpackBlock(packed: Uint8Array): Promise<Block> {
  const raw = await promisify(zstdDecompress)(packed, { maxOutputLength: MAX_BLOCK_BYTES });
  const end = raw.indexOf(10);
  const keys = JSON.parse(raw.toString("utf8", 0, end)) as readonly Key[];
  const places = new Map<string, Place>();
  let from = end + 1;
  for (const key of keys) {
    places.set(key[0], { key, from });
    from += key[8] + key[9];
  }
  if (from !== raw.length) throw new Error("its sizes do not add up");
  const bodyAt = ({ key, from: start }: Place): Body => {
    const middle = start + key[8];
    return {
      data: raw.toString("utf8", start, middle),
      metadata: raw.toString("utf8", middle, middle + key[9]),
    };
  };
  return {
    bytes: raw.length,
    positions: keys.map((key) => key[0]),
    has: (position) => places.has(position),
    bodyOf(position, id) {
      const place = places.get(position);
      return place?.key[1] === id ? bodyAt(place) : undefined;
    },
    at(position) {
      const place = places.get(position)!;
      const { data, metadata } = bodyAt(place);
      return { row: [...(place.key.slice(0, 7) as Strings7), data, metadata], chain: place.key[7] };
    },
    digest: () =>
      sha256(
        [...places.values()]
          .map(bodyAt)
          .map(({ data, metadata }) => `${data}\n${metadata}`)
          .join("\n"),
      ),
  };
}
type Place = { readonly key: Key; readonly from: number };
