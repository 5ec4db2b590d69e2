/** What the client does for one operation; `made/table.ts` has one for each. */
export type Row = {
  readonly method: string;
  readonly path: string;
  /** What kind of body it takes. */
  readonly body?: "json" | "bytes" | "form";
  /** It takes no body, and its first argument behind those of the path is the query. */
  readonly query?: true;
  /** It takes an `Idempotency-Key`, and may therefore be sent again. */
  readonly key?: true;
  readonly answer?: "list" | "stream";
};

export type Bytes = string | Uint8Array | ArrayBuffer | Blob;

/** What any call may be told. */
export type CommonOptions = {
  /** Ends the call at once, wherever it is. */
  readonly signal?: AbortSignal;
  /** For the whole call with all its attempts and pauses. Of the client when left out. */
  readonly timeoutMs?: number;
  /** How often it is sent at most. Of the client when left out. */
  readonly maxAttempts?: number;
};

export type ExtraOptions = {
  /** Yours, kept by your own repetitions too. The client makes one for each call without. */
  readonly idempotencyKey: string;
  /** Seconds, at most 30, to wait for the message to be sent or failed. */
  readonly wait: number;
  /** The `etag` of what you have read: a change since then is refused with 412. */
  readonly ifMatch: string;
  /** The `etag` of what you have: the call throws `NotModifiedError` while it is still so. */
  readonly ifNoneMatch: string;
  /** `logPosition` of what was done before: the answer covers it. */
  readonly minLogPosition: string;
};

/** The options of an operation: those of any, and those that it has. */
export type Options<Names extends keyof ExtraOptions> = CommonOptions &
  Partial<Pick<ExtraOptions, Names>>;

/** Whatever the caller said, as the client's own code sees it. */
export type AnyOptions = CommonOptions &
  Partial<ExtraOptions> & {
    readonly query?: Query;
    readonly contentType?: string;
  };
export type Query = Readonly<Record<string, unknown>>;

/** The entries of a list, page after page. Nothing is asked before something is read. */
export interface Listing<Entry, Page> extends AsyncIterable<Entry> {
  /** The one page that was asked for. */
  page(): Promise<Page>;
  /** It and every page behind it. */
  pages(): AsyncIterable<Page>;
  /** All entries; rejects when there are more than `most`, which keeps a mistake from filling the memory. */
  all(most: number): Promise<readonly Entry[]>;
}
