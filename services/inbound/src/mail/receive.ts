import type { ApiContext } from "@heliograph/api";
import { parseEmail, type Email } from "@heliograph/channels";
import { deliveredUrl, mailTaker, recordCallback, type MailTaker } from "@heliograph/gateways";
import { keptMailBytes } from "./limits.ts";

export type MailContext = Pick<ApiContext, "directory" | "masterKey" | "environments">;

/** What the envelope and the connection tell beside the mail. */
export type Envelope = {
  /** Empty: nobody is to be answered. */
  readonly from: string;
  readonly helo: string;
  readonly remoteAddress: string;
};

/** The one address that other servers may leave the domain out of (RFC 5321 §4.1.1.3). */
const withoutDomain = (local: string): Email | undefined =>
  local.toLowerCase() === "postmaster" ? { address: local, local, domain: "" } : undefined;

/** Whose mail it is; undefined for an address that is nobody's here. Gateways that reach people are in live alone. */
export function takerOf(
  { directory, masterKey }: Pick<MailContext, "directory" | "masterKey">,
  recipient: string,
): MailTaker | undefined {
  const address = parseEmail(recipient) ?? withoutDomain(recipient);
  if (address === undefined) return undefined;
  return mailTaker(
    directory.gateways("live", "email"),
    address,
    masterKey,
    (gatewayId, own) => directory.senderOf(gatewayId, own) !== undefined,
  );
}

/** The first room for a mail; most are smaller. */
const firstBytes = 16_384;

/** The beginning of what is sent, and how much it is. Holds none of the pieces, which may be of three bytes each. Reads to the end, so that the connection can go on. */
export async function readBeginning(
  stream: AsyncIterable<Buffer>,
): Promise<{ readonly body: Buffer; readonly bytes: number }> {
  let kept = Buffer.alloc(firstBytes);
  let bytes = 0;
  for await (const chunk of stream) {
    const end = Math.min(bytes + chunk.length, keptMailBytes);
    if (end > kept.length) {
      const larger = Buffer.alloc(Math.min(Math.max(end, 2 * kept.length), keptMailBytes));
      kept.copy(larger);
      kept = larger;
    }
    if (bytes < end) chunk.copy(kept, bytes, 0, end - bytes);
    bytes += chunk.length;
  }
  return { body: kept.subarray(0, Math.min(bytes, keptMailBytes)), bytes };
}

/**
 * Stores a mail as it came, once for each of its recipients however often it is delivered; durable when this resolves. Waits while consumers are behind, so that whoever sends is slowed down. Throws
 * LogUnavailable; the mail is then delivered again, and what was stored is stored.
 */
export async function storeMail(
  { environments: { live } }: Pick<MailContext, "environments">,
  takers: readonly MailTaker[],
  { from, helo, remoteAddress }: Envelope,
  mail: { readonly body: Buffer; readonly bytes: number },
): Promise<void> {
  await live.pressure?.(false);
  const receivedAt = new Date().toISOString();
  const { body, bytes } = mail;
  const headers = {
    "mail-from": from.slice(0, 512),
    helo: helo.slice(0, 255),
    "remote-address": remoteAddress,
    bytes: String(bytes),
  };
  for (const { gateway, address } of takers) {
    const url = deliveredUrl(address);
    const contentType = "message/rfc822";
    await recordCallback(live, { gateway, url, headers, contentType, body, receivedAt });
  }
}
