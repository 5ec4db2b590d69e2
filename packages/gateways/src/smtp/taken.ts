import { parseMailbox, type Email } from "@heliograph/channels";
import type { MailRules } from "../descriptor.ts";
import { isReturnPath } from "./return-path.ts";
import type { SmtpSettings } from "./settings.ts";

/** To what a return path's domain takes mail besides: mailbox providers are told one of these for their complaints, and RFC 2142 wants the last. */
const forReports: ReadonlySet<string> = new Set(["fbl", "abuse", "postmaster"]);

/**
 * The address, in its one form, where mail to it is for this gateway: a return path that it gave out, where reports go, and where its messages say that answers go. Undefined for anybody else's.
 */
export function takenAddress(
  { address, local, domain }: Email,
  { settings, gatewayId, masterKey }: MailRules<SmtpSettings>,
): string | undefined {
  const folded = local.toLowerCase();
  // RFC 5321 §4.1.1.3 has it taken without a domain.
  if (domain === "" && folded === "postmaster" && settings.return_path_domain !== undefined)
    return `${folded}@${settings.return_path_domain}`;
  if (
    domain === settings.return_path_domain &&
    (forReports.has(folded) || isReturnPath(masterKey, [gatewayId], folded))
  )
    return `${folded}@${domain}`;
  return ownAddress(address, settings);
}

/** Whether reports alone are wanted at an address. */
export const isForReports = ({ address, local, domain }: Email, settings: SmtpSettings): boolean =>
  domain === settings.return_path_domain &&
  forReports.has(local.toLowerCase()) &&
  ownAddress(address, settings) === undefined;

export const mailDomains = ({
  from,
  reply_to: replyTo,
  return_path_domain: returnDomain,
}: SmtpSettings): readonly string[] => [
  ...[from, replyTo].flatMap((text) => parseMailbox(text ?? "")?.email.domain ?? []),
  ...(returnDomain === undefined ? [] : [returnDomain]),
];

function ownAddress(address: string, settings: SmtpSettings): string | undefined {
  return [settings.from, settings.reply_to]
    .flatMap((text) => (text === undefined ? [] : [parseMailbox(text)?.email.address]))
    .find((own) => own?.toLowerCase() === address.toLowerCase());
}
