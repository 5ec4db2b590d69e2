import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { newId } from "@heliograph/contracts";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import { addChunk, dropUpload, readChunk } from "../tables/imports.ts";

/** Of one row of the table: large enough that a million contacts are some hundred rows, small enough that memory does not count. */
const chunkBytes = 256 * 1024;
const tagBytes = 16;

/** A file that was taken in, and the key of its pieces, which is sealed for the file alone. */
export type Upload = { readonly upload: string; readonly key: string };

/** Each piece has a nonce of its own by its number: the key is of this file only. */
function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 8);
  return nonce;
}

/**
 * Takes a file in, a piece at a time: the sender waits while one is stored. `accept` sees the first piece before anything of it is stored, and throws what the file is refused with.
 * What was stored of a file that is refused or cut off is dropped.
 */
export async function storeFile(
  { pool, vault }: { readonly pool: pg.Pool; readonly vault: Vault },
  partner: string,
  bytes: AsyncIterable<Buffer>,
  accept: (first: Buffer) => void,
): Promise<Upload> {
  const upload = newId("imp");
  const secret = randomBytes(32);
  const key = createSecretKey(secret);
  let number = 0;
  const store = async (piece: Buffer): Promise<void> => {
    if (number === 0) accept(piece);
    const cipher = createCipheriv("aes-256-gcm", key, nonceOf(number));
    const sealed = [cipher.update(piece), cipher.final(), cipher.getAuthTag()];
    await addChunk(pool, upload, number++, Buffer.concat(sealed));
  };
  try {
    let [waiting, size]: [Buffer[], number] = [[], 0];
    for await (const each of bytes) {
      waiting.push(each);
      size += each.length;
      if (size < chunkBytes) continue;
      await store(Buffer.concat(waiting, size));
      [waiting, size] = [[], 0];
    }
    if (size > 0 || number === 0) await store(Buffer.concat(waiting, size));
    const seal = await vault.seal({ partner, subject: upload });
    return { upload, key: seal(secret.toString("base64")) };
  } catch (error) {
    await dropUpload(pool, upload);
    throw error;
  }
}

/** The pieces of a file, one in memory at a time. */
export async function* readFile(
  { pool, vault }: { readonly pool: pg.Pool; readonly vault: Vault },
  partner: string,
  { upload, key: sealed }: Upload,
): AsyncGenerator<Buffer> {
  const open = await vault.open(partner, sealed);
  const key = createSecretKey(Buffer.from(open(sealed), "base64"));
  for (let number = 0; ; number++) {
    const bytes = await readChunk(pool, upload, number);
    if (bytes === undefined) return;
    const tagAt = bytes.length - tagBytes;
    const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(number), {
      authTagLength: tagBytes,
    }).setAuthTag(bytes.subarray(tagAt));
    yield Buffer.concat([decipher.update(bytes.subarray(0, tagAt)), decipher.final()]);
  }
}

/** Nothing of a file that has been read can be read again, in no backup either. */
export async function forgetFile(
  { pool, vault }: { readonly pool: pg.Pool; readonly vault: Vault },
  partner: string,
  { upload }: Pick<Upload, "upload">,
): Promise<void> {
  await vault.destroy(partner, [upload]);
  await dropUpload(pool, upload);
}
