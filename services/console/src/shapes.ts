/** Of the REST surface's answers, what pages show. Values of enumerations may be newer than this console: they are shown as they come. */
export type List<Row> = {
  readonly data: readonly Row[];
  readonly next_cursor: string | null;
  readonly prev_cursor: string | null;
};

export type Segments = {
  readonly count: number;
  readonly encoding: string;
  readonly characters: number;
};

export type Message = {
  readonly id: string;
  readonly status: string;
  readonly channel: string;
  readonly to: string;
  readonly from?: string;
  readonly cost: string;
  readonly cost_estimate: string;
  readonly currency: string;
  readonly segments: Segments;
  readonly provider?: { readonly name: string; readonly message_id: string };
  readonly error?: {
    readonly code: string;
    readonly permanent: boolean;
    readonly provider?: { readonly text?: string };
  };
  readonly bounce?: { readonly diagnostic: string };
  readonly attempts: number;
  readonly retry_count: number;
  readonly client_ref: string | null;
  readonly tags: readonly string[];
  readonly created_at: string;
  readonly sent_at?: string;
  readonly delivered_at?: string;
  readonly content?: {
    readonly text?: string;
    readonly subject?: string;
    readonly template?: {
      readonly slug: string;
      readonly version: number;
      readonly language: string;
    };
  };
};

export type Moment = {
  readonly position: string;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly actor: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly reason?: string;
};

export type Accepted = {
  readonly id?: string;
  readonly status: string;
  readonly cost_estimate: string;
  readonly currency: string;
  readonly segments: Segments;
};

export type Balance = {
  readonly available: string;
  readonly held: string;
  readonly currency: string;
  readonly as_of_position: string;
};

export type Entry = {
  readonly id: string;
  readonly kind: string;
  readonly amount: string;
  readonly balance_after: string;
  readonly currency: string;
  readonly message_id?: string;
  readonly reference?: string;
  readonly reason?: string;
  readonly created_at: string;
};

export type Statement = {
  readonly month: string;
  readonly currency: string;
  readonly opening: string;
  readonly closing: string;
  readonly entries: readonly (Entry & { readonly change: string; readonly held_change: string })[];
};

export type UsageRow = {
  readonly hour?: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly sent: number;
  readonly failed: number;
  readonly bounced: number;
  readonly expired: number;
  readonly rejected: number;
  readonly cost: string;
  readonly currency: string;
  readonly latency_ms: {
    readonly accepted_to_sent: { readonly p50: number | null; readonly p95: number | null };
    readonly sent_to_delivered: { readonly p50: number | null; readonly p95: number | null };
  };
};

export type Variables = Readonly<
  Record<
    string,
    { readonly type: string; readonly required?: boolean; readonly max_length?: number }
  >
>;

export type TemplateSummary = {
  readonly id: string;
  readonly slug: string;
  readonly channel: string;
  readonly default_language: string;
  readonly description: string | null;
  readonly version: number;
  readonly variables: Variables;
  readonly updated_at: string;
  readonly language_codes: readonly string[];
};

export type Template = Omit<TemplateSummary, "language_codes"> & {
  readonly languages: Readonly<
    Record<string, { readonly text?: string; readonly subject?: string; readonly html?: string }>
  >;
};
