import type { ApiContext } from "@heliograph/api";
import type { Attachments } from "@heliograph/attachments";
import { parseEmail, parseWriter, type Email } from "@heliograph/channels";
import {
  deliveredUrl,
  isRecorded,
  mailTaker,
  recordCallback,
  type MailTaker,
} from "@heliograph/gateways";
import { keepFiles } from "./files.ts";
import type { ReadMail } from "./read.ts";

/** Of a mail's recipients: the server that brought it waits for all. */
const storedAtOnce = 4;

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
  // One that is written with quotes which it does not need is the same address (RFC 5321 §4.1.2).
  const plain = parseWriter(recipient)?.address ?? recipient;
  const address = parseEmail(plain) ?? withoutDomain(plain);
  if (address === undefined) return undefined;
  return mailTaker(
    directory.gateways("live", "email"),
    address,
    masterKey,
    (gatewayId, own) => directory.senderOf(gatewayId, own) !== undefined,
  );
}

/**
 * Stores a mail as it came, with its files beside it, once for each of its recipients however often it is delivered; durable when this resolves. Waits while consumers are behind, so that whoever sends is
 * slowed down. Throws LogUnavailable; the mail is then delivered again, and what was stored is stored.
 */
export async function storeMail(
  { environments: { live }, directory }: Pick<MailContext, "environments" | "directory">,
  attachments: Attachments,
  takers: readonly MailTaker[],
  { from, helo, remoteAddress }: Envelope,
  { body, bytes, files }: ReadMail,
): Promise<void> {
  await live.pressure?.(false);
  const receivedAt = new Date().toISOString();
  const headers = {
    "mail-from": from.slice(0, 512),
    helo: helo.slice(0, 255),
    "remote-address": remoteAddress,
    bytes: String(bytes),
  };
  async function store({ gateway, address }: MailTaker): Promise<void> {
    const mail = {
      gateway,
      url: deliveredUrl(address),
      headers,
      contentType: "message/rfc822",
      body,
      receivedAt,
    };
    // It was delivered before: its files are there under other names.
    if (files.length > 0 && (await isRecorded(live, mail))) return;
    // Whose it most likely is: it is theirs once its message is matched.
    const partner = directory.senderOf(gateway.gateway_id, address) ?? gateway.partner_id ?? "";
    const holder = { partner, gatewayId: gateway.gateway_id };
    const kept = await keepFiles(live, attachments, holder, files);
    const stored = await recordCallback(live, {
      ...mail,
      ...(kept.files.length > 0 && { files: kept.files }),
    }).catch(async (error: unknown) => {
      await kept.giveUp();
      throw error;
    });
    // Somebody has stored it meanwhile.
    if (stored === "known") await kept.giveUp();
  }
  const left = takers.values();
  const storeRest = async (): Promise<void> => {
    for (const taker of left) await store(taker);
  };
  // What is begun ends before this throws: its files are in nobody's way then.
  const ends = await Promise.allSettled(Array.from({ length: storedAtOnce }, storeRest));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
