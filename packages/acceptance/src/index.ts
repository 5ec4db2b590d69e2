export {
  type Accepted,
  acceptMessage,
  channelNotEnabled,
  checkCountry,
  checkSaid,
  checkSuppressed,
  recipientOf,
  refuseSuppressed,
  scheduleOf,
} from "./accept.ts";
export { templateRefOf } from "./content.ts";
export { acceptSteps } from "./failover.ts";
export { mediaOf, type StoredMedia } from "./media.ts";
export {
  addressSubject,
  keyPlace,
  placeOfRecipient,
  sealRequests,
  type Sealable,
} from "./sealing.ts";
export {
  type AsksSender,
  claimSenders,
  readChoices,
  senderIn,
  type SenderClaim,
} from "./sender-choice.ts";
export { languagesOfAll, planSender, type SenderPlan, type SenderSetting } from "./sender-plan.ts";
export type { SendMessage } from "./send.ts";
export { openSuppressed, type Stop, type Suppressed } from "./suppressed.ts";
