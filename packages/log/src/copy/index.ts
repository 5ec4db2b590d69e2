export { copyLog } from "./copy-log.ts";
export type { Copied, CopyOptions } from "./copy-log.ts";
export { pagesOf } from "./read.ts";
export { canonicalEvent } from "./canonical.ts";
export { verifyCopy } from "./verify.ts";
export type { Verified } from "./verify.ts";
export { CopyRefused } from "./types.ts";
export type { CopyProgress, CopySide, CopySource, CopyTarget, Tail } from "./types.ts";
