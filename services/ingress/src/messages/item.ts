import { fingerprint } from "@heliograph/api";
import type { EventData, PublicError } from "@heliograph/contracts";
import type { SendMessage } from "./schema.ts";

type Requested = EventData<"MessageRequested">;

/** What became of one send that was taken on. */
type Sent = {
  readonly messageId: string;
  readonly body: Record<string, unknown>;
  readonly position: bigint;
  /** The first request with this key was answered before; this is its answer. */
  readonly replayed: boolean;
};
export type Settled =
  | { readonly kind: "sent"; readonly sent: Sent }
  | { readonly kind: "refused"; readonly error: PublicError };
/** What a reply's message has beyond one that answers nobody. */
export type ReplyFields = Pick<
  Requested,
  "conversation_id" | "contact_id" | "reply" | "in_reply_to" | "references"
>;
/** A send with its key; `keyParts` are what its id is derived from, undefined without a key. */
export type Item = {
  readonly body: SendMessage;
  readonly keyParts: readonly string[] | undefined;
  /** Of a reply: whose words it answers. Its address and texts are sealed under the contact's key. */
  readonly conversation?: ReplyFields;
  /** It goes from the sender that it names, whichever of the pool its recipient has; that one has it from then on. */
  readonly keepsSender?: boolean;
  /** It is for a person that the platform knows, and is sealed in any case. */
  readonly personal?: boolean;
  /** What the caller asked for, where `body` was made of more: a repetition asks for the same. */
  readonly asked?: object;
  /** It is not sent, unless it was before. */
  readonly refusal?: PublicError;
};

/** What a repetition is held against. */
export const printOf = ({ asked, body }: Item): string => fingerprint("send", asked ?? body);
