import { createCipheriv, createDecipheriv, type DecipherGCM, type KeyObject } from "node:crypto";

/**
 * Bytes at rest: pieces of 64 KiB, each AES-256-GCM under the file's own key, so that what is sent on was verified first and no file is held whole. The nonce counts the pieces and
 * tells the last one: pieces cannot be moved, left out or cut off (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
 */
const pieceBytes = 65_536;
const tagBytes = 16;

function nonceOf(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 7);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** Pieces of one size, the last one shorter or as long; nothing gives one empty piece. */
async function* pieces(
  source: AsyncIterable<Buffer>,
  size: number,
): AsyncGenerator<{ readonly bytes: Buffer; readonly last: boolean }> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of source) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes <= size) continue;
    let rest = Buffer.concat(held);
    for (; rest.length > size; rest = rest.subarray(size))
      yield { bytes: rest.subarray(0, size), last: false };
    held = [rest];
    heldBytes = rest.length;
  }
  yield { bytes: Buffer.concat(held), last: true };
}

/** A key seals one file, once: its nonces begin from zero. */
export async function* sealBytes(
  key: KeyObject,
  plain: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  let index = 0;
  for await (const { bytes, last } of pieces(plain, pieceBytes)) {
    const cipher = createCipheriv("aes-256-gcm", key, nonceOf(index++, last));
    yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  }
}

/** The bytes of a file are not there, or not as they were stored: no later look finds them. */
export class BytesLost extends Error {}

/** Throws `BytesLost` at the first piece that is not as it was sealed, and when pieces are missing. */
export async function* openBytes(
  key: KeyObject,
  sealed: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  let index = 0;
  for await (const { bytes, last } of pieces(sealed, pieceBytes + tagBytes)) {
    if (bytes.length < tagBytes) throw new BytesLost("the file ends early");
    const tagAt = bytes.length - tagBytes;
    const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(index++, last), {
      authTagLength: tagBytes,
    }).setAuthTag(bytes.subarray(tagAt));
    yield opened(decipher, bytes.subarray(0, tagAt));
  }
}

function opened(decipher: DecipherGCM, bytes: Buffer): Buffer {
  try {
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  } catch (error) {
    throw new BytesLost("the file is not as it was stored", { cause: error });
  }
}
