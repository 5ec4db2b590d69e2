import { createHmac, timingSafeEqual } from "node:crypto";
import { isId, keysOf, type Environment, type MasterKey } from "@heliograph/contracts";

/** A link is made each time an attachment is read and kept nowhere: so long at least is enough to open it, and short for one that is passed on. */
const linkSeconds = 3_600;
/** Links of these many seconds are the same, so that an answer that holds one keeps its ETag. */
const sameLinkSeconds = 600;

type Linked = { readonly environment: Environment; readonly id: string; readonly expires: number };

/** HMAC-SHA256 under a key that is derived from the master key for links alone. */
export function signLink(masterKey: Buffer, { environment, id, expires }: Linked): string {
  const key = createHmac("sha256", masterKey).update("heliograph attachment links v1").digest();
  return createHmac("sha256", key)
    .update([environment, id, String(expires)].join("\u001f"))
    .digest("base64url");
}

export function isSigned(masterKey: MasterKey, link: Linked, signature: string): boolean {
  const given = Buffer.from(signature);
  return keysOf(masterKey).some((key) => {
    const expected = Buffer.from(signLink(key, link));
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
}

const endOfLink = (nowMs: number): number =>
  Math.ceil(nowMs / 1000 / sameLinkSeconds) * sameLinkSeconds + linkSeconds;

/** Whether a link that was made at `madeMs` opens still. */
export const linkLives = (madeMs: number, nowMs: number): boolean =>
  nowMs <= endOfLink(madeMs) * 1000;

/** Where an attachment's content is read without a key, for an hour and at most ten minutes more. */
export function attachmentLink(
  { masterKey, origin, environment }: LinkMaker,
  id: string,
  nowMs: number,
): string {
  const expires = endOfLink(nowMs);
  const signature = signLink(masterKey, { environment, id, expires });
  const query = new URLSearchParams({ environment, expires: String(expires), signature });
  return `${origin}/api/v1/attachments/${id}/content?${query.toString()}`;
}

export type LinkMaker = {
  readonly masterKey: Buffer;
  /** Under which the API is reached. */
  readonly origin: string;
  readonly environment: Environment;
};

/** Messages whose texts are opened, with a link in the place of each attachment that they name. */
export const withLinks = <
  Message extends {
    readonly direction: string;
    readonly media: readonly {
      readonly url: string;
      readonly attachment_id?: string | undefined;
    }[];
  },
>(
  maker: LinkMaker,
  messages: readonly Message[],
  nowMs: number,
): readonly Message[] =>
  messages.map((message) =>
    message.media.length === 0
      ? message
      : {
          ...message,
          media: message.media.map((each) => {
            // What came from outside and only looks like the name of a file of ours is whatever a person wrote.
            const id = each.attachment_id ?? (message.direction === "outbound" ? each.url : "");
            return isId("att", id) ? { ...each, url: attachmentLink(maker, id, nowMs) } : each;
          }),
        },
  );
