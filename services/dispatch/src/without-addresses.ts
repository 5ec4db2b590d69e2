import type { Failure } from "@heliograph/contracts";
import { isSealed } from "@heliograph/vault";

/** A mail address, or digits, grouped or not, as many as the shortest number has (E.164) and more than any code. */
const address = /[^\s<>()[\]"'@:;,=]+@[^\s<>()[\]"'@:;,=]+|\+?\(?\d(?:[\s().-]{0,2}\d){6,}/g;

/** A provider's words without the addresses in them, where the recipient is sealed: they often repeat whom they are about, and would outlive the key. */
export function withoutAddresses(error: Failure, recipient: string): Failure {
  const text = error.provider?.text;
  if (text === undefined || !isSealed(recipient)) return error;
  const masked = text.replaceAll(address, "[address]");
  return { ...error, provider: { ...error.provider!, text: masked } };
}
