import { createRequire } from "node:module";
import { promisify } from "node:util";
import {
  constants,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import type * as Kafkajs from "kafkajs";

type Library = typeof Kafkajs;

const require = createRequire(import.meta.url);
let loaded: Library | undefined;

/**
 * The client library, loaded when it is first needed: it takes a tenth of the processor time of a start, and most installations have no brokers. It is a CommonJS module, so nobody has to
 * wait for it.
 */
export function kafkaLibrary(): Library {
  if (loaded === undefined) {
    loaded = require("kafkajs") as Library;
    // It has a place for codecs that it does not bring. Every client must be able to read what the relay packs.
    loaded.CompressionCodecs[loaded.CompressionTypes.ZSTD] = zstd;
  }
  return loaded;
}

/** Of events that resemble each other the cheapest level leaves 0.24, as the dearer ones do. */
const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Below this the turn of a thread costs more than the work: 28 KB are unpacked in 0.04 ms. */
const inPlaceBytes = 65_536;
/** What a batch may unpack to: four times the largest event that the log takes. */
const unpacked = { maxOutputLength: 16 * 1_048_576 };

const pack = promisify(zstdCompress);
const unpack = promisify(zstdDecompress);

const zstd = () => ({
  compress: async ({ buffer }: { readonly buffer: Buffer }) =>
    buffer.length < inPlaceBytes ? zstdCompressSync(buffer, level) : pack(buffer, level),
  decompress: async (buffer: Buffer) =>
    buffer.length < inPlaceBytes / 4
      ? zstdDecompressSync(buffer, unpacked)
      : unpack(buffer, unpacked),
});
