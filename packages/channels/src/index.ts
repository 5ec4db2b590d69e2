export type { Body, ChannelModule, Field, Read, Recipient } from "./channel.ts";
export {
  contentFaults,
  fileFaults,
  mediaFaults,
  shapeFaults,
  togetherFaults,
  valueFaults,
} from "./content.ts";
export {
  type ExternalIdRef,
  externalIdName,
  knownExternalId,
  soughtExternalId,
  normalExternalId,
} from "./external-id.ts";
export { inboxAddress } from "./inbox.ts";
export { maxPushData, pushFaults, type PushOptions } from "./push-options.ts";
export { channelModule, magicOutcome, storedRecipient } from "./registry.ts";
export {
  type Email,
  type Mailbox,
  parseEmail,
  parseMailbox,
  parseMailId,
  parseWriter,
  replySubject,
} from "./email-address.ts";
export { isWhatsappUserId } from "./whatsapp.ts";
export { mailReferences } from "./mail-references.ts";
export { magicOutcomes, type MagicOutcome, sandboxInboxes } from "./magic.ts";
export { isCountry } from "./phone.ts";
export { phoneVariants, sameRecipient } from "./phone-variants.ts";
export { fromGsm, gsmAlphabet, toGsm, type GsmTables } from "./gsm.ts";
export { nationalLanguages } from "./gsm-national.ts";
export { splitSms } from "./segments.ts";
export { textOfHtml } from "./text-of-html.ts";
