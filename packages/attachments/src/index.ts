export { cleanName, disposition, nameInHeader } from "./names.ts";
export { BytesLost } from "./cipher.ts";
export { contentOf, attachmentsIn, openedRow } from "./open.ts";
export { adoptFiles, forgetFiles } from "./owners.ts";
export {
  fileKey,
  giveUp,
  giveUpUnsent,
  hasRoom,
  keepFile,
  maxAttachmentBytes,
  spoolPath,
  spoolSealed,
  uploadMs,
  type Kept,
  type Spooled,
} from "./keep.ts";
export { isPassive, sniffedTypes } from "./sniff.ts";
export type { Attachments } from "./store.ts";
export { sweepAttachments } from "./sweep.ts";
export {
  addFetches,
  endFetch,
  fetchAgain,
  findFetch,
  loseFetch,
  nextFetchAt,
  takeFetches,
  type Fetch,
  type NewFetch,
} from "./tables/fetches.ts";
export {
  attachmentTables,
  findAttachment,
  markDeleted,
  removeOfSpace,
  type AttachmentRow,
} from "./tables/attachments.ts";
