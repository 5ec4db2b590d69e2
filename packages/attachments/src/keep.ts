import { createHash, createSecretKey, randomBytes, randomUUID } from "node:crypto";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failpoint, type Environment } from "@heliograph/contracts";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import { sealBytes } from "./cipher.ts";
import { sniff, sniffedBytes } from "./sniff.ts";
import type { Attachments, AttachmentStore } from "./store.ts";
import {
  beginUpload,
  dropRemoved,
  endUpload,
  findAttachment,
  markDeleted,
  markRemoved,
  type AttachmentRow,
  type FileOrigin,
  type Quota,
  receivedRoom,
} from "./tables/attachments.ts";

/** What one file may have, however it comes. */
export const maxAttachmentBytes = 10_000_000;
/** What the smallest file takes of the quota: without it, a million empty ones would take nothing. */
const leastCharged = 4_096;
/** What files may take; those that came from outside half of it, whatever else there is. */
export const quotaOf = (quotaBytes: number): Quota => ({
  bytes: quotaBytes,
  received: Math.floor(quotaBytes / 2),
});
/** No upload takes longer: a request ends by then. One that is older was cut off. */
export const uploadMs = 300_000;

/** A file that is to be kept. */
export type NewFile = {
  readonly environment: Environment;
  readonly id: string;
  /** Empty where nobody knows yet whose it is. */
  readonly partner: string;
  readonly name: string | null;
  readonly contactId: string | null;
  /** How much it is, or is said to be; undefined: nobody knows yet. */
  readonly bytes: number | undefined;
  readonly origin: FileOrigin;
  /** Whose quota it takes while it is nobody's. */
  readonly account?: string;
};

/** Bytes sealed into a file of this machine, and what they are: storage takes none whose length and digest it is not told first. */
export type Spooled = {
  readonly path: string;
  readonly key: Buffer;
  readonly type: string;
  readonly bytes: number;
  readonly plainSha256: string;
  readonly sha256: string;
};

type Keeping = { readonly pool: pg.Pool; readonly vault: Vault };

/** `full`: the quota has no room. `taken`: there is a row of this id, or the upload was given up meanwhile. */
export type Kept =
  | { readonly kind: "kept"; readonly row: AttachmentRow }
  | { readonly kind: "full" }
  | { readonly kind: "taken" };

/** Whether a file of so many bytes from outside would be kept now. It may be another answer by the time that it is there. */
export const hasRoom = async (
  pool: pg.Pool,
  { quotaBytes }: Attachments,
  partner: string,
  bytes: number,
): Promise<boolean> =>
  Math.max(leastCharged, bytes) <= (await receivedRoom(pool, partner, quotaOf(quotaBytes)));

/** A place in the spool that nobody else writes to. */
export const spoolPath = ({ spool }: Attachments): string => join(spool, randomUUID());

/** Names of objects tell nothing of what they are. */
const objectName = ({ environment, id }: NewFile): string => `${environment}-${id}-${randomUUID()}`;

/**
 * Keeps a file under a key of its own, which is sealed under the attachment's subject and goes with it, or with its contact. `bring` gives the sealed bytes, in a file that is then moved. Whatever it throws
 * leaves nothing.
 */
export async function keepFile(
  { pool, vault }: Keeping,
  { store, quotaBytes }: Attachments,
  given: NewFile,
  key: Buffer,
  bring: () => Promise<Spooled>,
  contentName: (spooled: Spooled) => string,
): Promise<Kept> {
  const { id, partner, contactId, origin } = given;
  const seal = await vault.seal({
    partner,
    subject: id,
    ...(contactId && { owners: [contactId] }),
  });
  const object = objectName(given);
  const begun = await beginUpload(
    pool,
    {
      id,
      partner,
      object,
      key: seal(key.toString("base64url")),
      name: given.name && seal(given.name),
      contactId,
      charged: Math.max(leastCharged, given.bytes ?? maxAttachmentBytes),
      origin,
      account: given.account ?? null,
    },
    quotaOf(quotaBytes),
  );
  if (begun !== "begun") return { kind: begun };
  try {
    const spooled = await bring();
    try {
      await failpoint("attachments.before_put");
      await store.put(object, spooled.path, spooled.sha256);
      await failpoint("attachments.after_put");
    } finally {
      await rm(spooled.path, { force: true });
    }
    const row = await endUpload(
      pool,
      { id, object },
      {
        type: spooled.type,
        bytes: spooled.bytes,
        content: contentName(spooled),
        charged: Math.max(leastCharged, spooled.bytes),
      },
    );
    return row === undefined ? { kind: "taken" } : { kind: "kept", row };
  } catch (error) {
    // What cannot be given up now is taken by a sweep.
    await giveUp(pool, store, { id, object }).catch(() => undefined);
    throw error;
  }
}

/** The bytes first, then the row: what the store holds always has one. */
export async function giveUp(
  pool: pg.Pool,
  store: AttachmentStore,
  upload: Pick<AttachmentRow, "id" | "object">,
): Promise<void> {
  await markRemoved(pool, upload);
  await store.remove(upload.object);
  await failpoint("attachments.before_drop");
  await dropRemoved(pool, upload);
}

/** The same for a file of the partner that no message names. */
export async function giveUpUnsent(
  pool: pg.Pool,
  store: AttachmentStore,
  partner: string,
  id: string,
): Promise<void> {
  const row = await findAttachment(pool, id, partner);
  if (row !== undefined && (await markDeleted(pool, row, false))) await giveUp(pool, store, row);
}

export const fileKey = (): Buffer => randomBytes(32);

/** Seals bytes into a file at `path`, and tells what they are. */
export async function spoolSealed(
  chunks: AsyncIterable<Buffer>,
  key: Buffer,
  path: string,
): Promise<Spooled> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "w");
  const plainDigest = createHash("sha256");
  const digest = createHash("sha256");
  let head: Buffer = Buffer.alloc(0);
  let bytes = 0;
  async function* looked(): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      plainDigest.update(chunk);
      if (head.length < sniffedBytes)
        head = Buffer.concat([head, chunk.subarray(0, sniffedBytes - head.length)]);
      yield chunk;
    }
  }
  try {
    for await (const piece of sealBytes(createSecretKey(key), looked())) {
      digest.update(piece);
      await file.writeFile(piece);
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return {
    path,
    key,
    type: sniff(head),
    bytes,
    plainSha256: plainDigest.digest("hex"),
    sha256: digest.digest("hex"),
  };
}
