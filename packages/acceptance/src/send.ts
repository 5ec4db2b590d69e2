import type { Channel, Content, FailoverTrigger, QuietHours } from "@heliograph/contracts";

/** What is asked for, as `POST /messages` takes it. */
export type SendMessage = {
  readonly channel: Channel;
  readonly to: string;
  readonly from?: string | undefined;
  /** The pool that `from` is taken of, by its id or name. */
  readonly sender_pool?: string | undefined;
  readonly reply_to?: string | undefined;
  readonly unsubscribe_url?: string | undefined;
  readonly text?: string | undefined;
  readonly html?: string | undefined;
  readonly subject?: string | undefined;
  readonly template?: string | TemplateRef | undefined;
  readonly language?: string | undefined;
  readonly variables?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly send_at?: string | undefined;
  readonly validity_seconds?: number | undefined;
  readonly priority?: number | undefined;
  readonly category?: "transactional" | "marketing" | "authentication" | undefined;
  readonly tags?: string[] | undefined;
  readonly metadata?: Record<string, unknown> | undefined;
  readonly client_ref?: string | undefined;
  readonly smart_encoding?: boolean | undefined;
  readonly push?: Content["push"] | undefined;
  readonly failover?: readonly SendStep[] | undefined;
  readonly quiet_hours?: AskedQuiet | undefined;
  readonly media?: readonly Media[] | undefined;
  /** Whom it goes to, where no address is named. */
  readonly contact_id?: string | undefined;
};

/** `zone`: the recipient's, where the partner knows it. */
type AskedQuiet = Pick<QuietHours, "from" | "to" | "policy"> & {
  readonly zone?: string | undefined;
};

/** Where it goes when the step before came to nothing. */
export type SendStep = Pick<SendMessage, "channel" | Said> & {
  readonly to?: string | undefined;
  readonly on: readonly FailoverTrigger[];
  readonly after_seconds?: number | undefined;
};
type Said =
  | "from"
  | "sender_pool"
  | "reply_to"
  | "unsubscribe_url"
  | "text"
  | "html"
  | "subject"
  | "template"
  | "language"
  | "variables"
  | "smart_encoding"
  | "push";

/** One of `url` and `attachment_id`. */
type Media = {
  readonly url?: string | undefined;
  readonly attachment_id?: string | undefined;
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  readonly caption?: string | undefined;
};

export type TemplateRef = {
  readonly slug: string;
  readonly version?: number | undefined;
  readonly on_missing_language?: "error" | "default" | undefined;
};
