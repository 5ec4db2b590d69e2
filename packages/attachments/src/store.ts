/** Where the sealed bytes of attachments are: a folder, or S3-compatible storage. A name stands for one upload and is never written twice. */
export type AttachmentStore = {
  /** Stores a file under a name, durably; the file is gone or of no use then. `sha256` of it, hexadecimal. */
  put(name: string, file: string, sha256: string): Promise<void>;
  /** The bytes; undefined where there are none. */
  get(name: string): Promise<AsyncIterable<Buffer> | undefined>;
  /** Safe to repeat. */
  remove(name: string): Promise<void>;
};

/** Where bytes go, where they are gathered first, and how much a partner may have. */
export type Attachments = {
  readonly store: AttachmentStore;
  readonly spool: string;
  readonly quotaBytes: number;
};
