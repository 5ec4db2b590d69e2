import { createHash, createSecretKey, randomBytes, randomUUID } from "node:crypto";
import { open, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { inProgress, keyReused, type Call } from "@heliograph/api";
import { failpoint, PublicError, type Environment } from "@heliograph/contracts";
import type pg from "pg";
import {
  beginUpload,
  dropRemoved,
  endUpload,
  findAttachment,
  markRemoved,
  type AttachmentRow,
} from "../tables/attachments.ts";
import { sealBytes } from "./cipher.ts";
import { sniff, sniffedBytes } from "./sniff.ts";
import type { AttachmentStore } from "./store.ts";

export const maxAttachmentBytes = 10_000_000;
/** What the smallest file takes of the quota: without it, a million empty ones would take nothing. */
const leastCharged = 4_096;
/** No upload takes longer: a request ends by then. One that is older was cut off. */
export const uploadMs = 300_000;

/** What the routes of attachments keep: where bytes go, where they are gathered first, and how much a partner may have. */
export type Attachments = {
  readonly store: AttachmentStore;
  readonly spool: string;
  readonly quotaBytes: number;
};

type Upload = {
  readonly id: string;
  readonly name: string | null;
  readonly contactId: string | null;
  /** As declared; undefined: nobody knows yet. */
  readonly bytes: number | undefined;
};

/** Names of objects tell nothing of what they are. */
const objectName = (environment: Environment, id: string): string =>
  `${environment}-${id}-${randomUUID()}`;

/**
 * Stores what a request brings, once for its key: sealed under a key of its own, which is sealed under the attachment's subject and goes with it, or with its contact. Throws
 * `attachment_quota_exceeded`, `idempotency_in_progress`, `idempotency_key_reused`, and what reading the body throws.
 */
export async function upload(
  call: Call<unknown, unknown>,
  { store, spool, quotaBytes }: Attachments,
  given: Upload,
): Promise<AttachmentRow> {
  const { pool, vault } = call.deps;
  const partner = call.partner.partner_id;
  const { id, contactId } = given;
  const known = await findAttachment(pool, id);
  if (known?.status === "ready") return sameAgain(call, known, given);
  if (known !== undefined) await giveUpOld(pool, store, known);

  const key = randomBytes(32);
  const seal = await vault.seal({
    partner,
    subject: id,
    ...(contactId && { owners: [contactId] }),
  });
  const object = objectName(call.env, id);
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
    },
    quotaBytes,
  );
  if (begun === "taken") throw inProgress();
  if (begun === "full") throw quotaExceeded(quotaBytes);
  try {
    const spooled = await spoolSealed(call.chunks(), key, join(spool, object));
    if (spooled.bytes === 0) throw new PublicError("invalid_request", "The file is empty.");
    await failpoint("attachments.before_put");
    await store.put(object, spooled.path, spooled.sha256);
    await failpoint("attachments.after_put");
    const ready = await endUpload(
      pool,
      { id, object },
      {
        type: spooled.type,
        bytes: spooled.bytes,
        content: contentName(call, spooled.plainSha256, given),
        charged: Math.max(leastCharged, spooled.bytes),
      },
    );
    if (ready === undefined) throw inProgress();
    return ready;
  } catch (error) {
    await giveUp(pool, store, { id, object }).catch((cause: unknown) =>
      call.context.logger.warn({ err: cause }, "an upload was not given up"),
    );
    throw error;
  } finally {
    await rm(join(spool, object), { force: true });
  }
}

/** What was asked for, as a name: the digest of a file alone would tell who knows the file that it is here. */
const contentName = (
  call: Call<unknown, unknown>,
  sha256: string,
  { name, contactId }: Upload,
): string => call.deps.vault.name("attachment", sha256, name ?? "", contactId ?? "");

/** The key was used before: the file is read, and compared. */
async function sameAgain(
  call: Call<unknown, unknown>,
  known: AttachmentRow,
  given: Upload,
): Promise<AttachmentRow> {
  const digest = createHash("sha256");
  for await (const chunk of call.chunks()) digest.update(chunk);
  if (contentName(call, digest.digest("hex"), given) !== known.content) throw keyReused(known.id);
  return known;
}

/** An upload of the same key that was cut off leaves its row; one that may still run is waited for. */
async function giveUpOld(pool: pg.Pool, store: AttachmentStore, old: AttachmentRow): Promise<void> {
  if (old.status === "pending" && Date.now() - old.changed_at.getTime() < uploadMs)
    throw inProgress(uploadMs);
  await giveUp(pool, store, old);
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

const quotaExceeded = (quotaBytes: number): PublicError =>
  new PublicError(
    "attachment_quota_exceeded",
    `Your attachments would take more than ${Math.floor(quotaBytes / 1_000_000)} MB together. Delete some first.`,
  );

type Spooled = {
  readonly path: string;
  readonly type: string;
  readonly bytes: number;
  readonly plainSha256: string;
  readonly sha256: string;
};

/** Seals a body into a file, and tells what it is: storage takes no bytes whose length and digest it is not told first. */
async function spoolSealed(
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
  } finally {
    await file.close();
  }
  return {
    path,
    type: sniff(head),
    bytes,
    plainSha256: plainDigest.digest("hex"),
    sha256: digest.digest("hex"),
  };
}
