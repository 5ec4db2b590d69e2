import type { Failure } from "@heliograph/contracts";

type Kind = Pick<Failure, "class" | "permanent">;

/** What a message centre's refusal can mean. A wrong account is no fault of the message: another gateway may take it, and this one after a repair. */
export const smppErrors = {
  invalid_recipient: { class: "recipient", permanent: true },
  invalid_sender: { class: "content", permanent: true },
  content_rejected: { class: "content", permanent: true },
  undelivered: { class: "recipient", permanent: true },
  recipient_rejected: { class: "recipient", permanent: true },
  provider_rejected: { class: "provider", permanent: true },
  provider_deferred: { class: "provider", permanent: false },
  provider_throttled: { class: "provider", permanent: false },
  gateway_authentication_failed: { class: "account", permanent: false },
  gateway_timeout: { class: "timeout", permanent: false },
  gateway_unreachable: { class: "gateway", permanent: false },
} as const satisfies Record<string, Kind>;
export type SmppErrorCode = keyof typeof smppErrors;

/** The names of section 5.1.3, by which an operator finds them in the provider's own list. */
const statuses: Readonly<Record<number, readonly [name: string, code: SmppErrorCode]>> = {
  0x01: ["ESME_RINVMSGLEN", "content_rejected"],
  0x02: ["ESME_RINVCMDLEN", "provider_rejected"],
  0x03: ["ESME_RINVCMDID", "provider_rejected"],
  0x04: ["ESME_RINVBNDSTS", "provider_deferred"],
  0x05: ["ESME_RALYBND", "gateway_authentication_failed"],
  0x06: ["ESME_RINVPRTFLG", "provider_rejected"],
  0x07: ["ESME_RINVREGDLVFLG", "provider_rejected"],
  0x08: ["ESME_RSYSERR", "provider_deferred"],
  0x0a: ["ESME_RINVSRCADR", "invalid_sender"],
  0x0b: ["ESME_RINVDSTADR", "invalid_recipient"],
  0x0d: ["ESME_RBINDFAIL", "gateway_authentication_failed"],
  0x0e: ["ESME_RINVPASWD", "gateway_authentication_failed"],
  0x0f: ["ESME_RINVSYSID", "gateway_authentication_failed"],
  0x14: ["ESME_RMSGQFUL", "provider_throttled"],
  0x15: ["ESME_RINVSERTYP", "provider_rejected"],
  0x43: ["ESME_RINVESMCLASS", "provider_rejected"],
  0x45: ["ESME_RSUBMITFAIL", "provider_deferred"],
  0x48: ["ESME_RINVSRCTON", "invalid_sender"],
  0x49: ["ESME_RINVSRCNPI", "invalid_sender"],
  0x50: ["ESME_RINVDSTTON", "invalid_recipient"],
  0x51: ["ESME_RINVDSTNPI", "invalid_recipient"],
  0x53: ["ESME_RINVSYSTYP", "provider_rejected"],
  0x58: ["ESME_RTHROTTLED", "provider_throttled"],
  0x61: ["ESME_RINVSCHED", "provider_rejected"],
  0x62: ["ESME_RINVEXPIRY", "provider_rejected"],
  0x64: ["ESME_RX_T_APPN", "provider_deferred"],
  0x65: ["ESME_RX_P_APPN", "provider_rejected"],
  0x66: ["ESME_RX_R_APPN", "provider_rejected"],
  0xc0: ["ESME_RINVOPTPARSTREAM", "provider_rejected"],
  0xc4: ["ESME_RINVOPTPARAMVAL", "provider_rejected"],
  0xfe: ["ESME_RDELIVERYFAILURE", "recipient_rejected"],
  0xff: ["ESME_RUNKNOWNERR", "provider_deferred"],
};

/** What a status means; one that the standard has no word for may be anything, and is tried again. */
export function statusMeaning(status: number): {
  readonly name: string;
  readonly code: SmppErrorCode;
} {
  const [name, code] = statuses[status] ?? ["", "provider_deferred"];
  const number = `0x${status.toString(16).padStart(8, "0")}`;
  return { name: name === "" ? number : `${name} (${number})`, code };
}

export const smppFailure = (
  gateway: string,
  code: SmppErrorCode,
  said: string,
  about = code as string,
): Failure => ({
  code,
  ...smppErrors[code],
  provider: { name: gateway.slice(0, 64), code: about.slice(0, 64), text: said.slice(0, 2_000) },
});
