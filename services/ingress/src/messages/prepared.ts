import type { Accepted } from "@heliograph/acceptance";
import type { PublicError } from "@heliograph/contracts";
import type { Append } from "@heliograph/log";
import type { Item } from "./item.ts";

/** A send of a batch: its place there and its message's id. */
export type Pending = { readonly index: number; readonly item: Item; readonly id: string };

/** One that is not to be sent, unless it was before. */
export type Refused = Pending & { readonly error: PublicError };

export type Prepared = Accepted & {
  readonly append: Append;
  readonly fingerprint: string | undefined;
  /** Sealed, whether or not all sends are: it answers somebody, says something of its recipient, or names it by who that is. With the contact goes what waits for it, and what was written to it. */
  readonly secret: boolean;
  /** The wallet in which its cost was set aside by this try, so this try gives it back. */
  readonly reservedIn: string | undefined;
};

/** With its place in the batch. */
export type Ready = { index: number; value: Prepared };

export const hasFiles = ({ value: { data } }: Ready): boolean => data.content.media !== undefined;
export const idOf = ({ value: { data } }: Ready): { readonly id: string } => ({
  id: data.message_id,
});
