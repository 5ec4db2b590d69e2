import { createHash } from "node:crypto";
import { inProgress, keyReused, type Call } from "@heliograph/api";
import {
  fileKey,
  findAttachment,
  giveUp,
  keepFile,
  spoolPath,
  spoolSealed,
  uploadMs,
  type AttachmentRow,
  type Attachments,
} from "@heliograph/attachments";
import { PublicError } from "@heliograph/contracts";
import { databaseTime, isUnderWay } from "@heliograph/runtime";

type Upload = {
  readonly id: string;
  readonly name: string | null;
  readonly contactId: string | null;
  /** As declared; undefined: nobody knows yet. */
  readonly bytes: number | undefined;
};

type Uploaded = {
  readonly row: AttachmentRow;
  /** An earlier request with the key has stored it. */
  readonly repeated: boolean;
};

/**
 * Stores what a request brings, once for its key. Throws `attachment_quota_exceeded`, `idempotency_in_progress`, `idempotency_key_reused`, and what reading the body throws.
 */
export async function upload(
  call: Call<unknown, unknown>,
  attachments: Attachments,
  given: Upload,
): Promise<Uploaded> {
  const known = await findAttachment(call.deps.pool, given.id);
  if (known?.status === "ready") {
    await requireSame(call, known, given);
    return { row: known, repeated: true };
  }
  if (known !== undefined) await giveUpOld(call, attachments, known);
  const key = fileKey();
  const kept = await keepFile(
    call.deps,
    attachments,
    {
      ...given,
      environment: call.env,
      partner: call.partner.partner_id,
      origin: "uploaded",
    },
    key,
    async () => {
      const spooled = await spoolSealed(call.chunks(), key, spoolPath(attachments));
      if (spooled.bytes === 0) throw new PublicError("invalid_request", "The file is empty.");
      return spooled;
    },
    ({ plainSha256 }) => contentName(call, plainSha256, given),
  );
  if (kept.kind === "taken") throw inProgress();
  if (kept.kind === "full") throw quotaExceeded(attachments.quotaBytes);
  return { row: kept.row, repeated: false };
}

/** What was asked for, as a name: the digest of a file alone would tell who knows the file that it is here. */
const contentName = (
  call: Call<unknown, unknown>,
  sha256: string,
  { name, contactId }: Upload,
): string => call.deps.vault.name("attachment", sha256, name ?? "", contactId ?? "");

/** The key was used before: the file is read, and compared. */
async function requireSame(
  call: Call<unknown, unknown>,
  known: AttachmentRow,
  given: Upload,
): Promise<void> {
  const digest = createHash("sha256");
  for await (const chunk of call.chunks()) digest.update(chunk);
  if (contentName(call, digest.digest("hex"), given) !== known.content) throw keyReused(known.id);
}

/** An upload of the same key that was cut off leaves its row; one that may still run is waited for. */
async function giveUpOld(
  { deps: { pool } }: Call<unknown, unknown>,
  { store }: Attachments,
  old: AttachmentRow,
): Promise<void> {
  // By the clock that wrote it: another one may be ahead of it or behind.
  if (
    old.status === "pending" &&
    isUnderWay(old.changed_at.getTime(), uploadMs, await databaseTime(pool))
  )
    throw inProgress(uploadMs);
  await giveUp(pool, store, old);
}

const quotaExceeded = (quotaBytes: number): PublicError =>
  new PublicError(
    "attachment_quota_exceeded",
    `Your attachments would take more than ${Math.floor(quotaBytes / 1_000_000)} MB together. Delete some first.`,
  );
