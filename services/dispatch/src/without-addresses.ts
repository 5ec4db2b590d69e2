import { maskSecrets, type Failure } from "@heliograph/contracts";
import { isSealed } from "@heliograph/vault";

/** A mail address, or digits, grouped or not, as many as the shortest number has (E.164) and more than any code. */
const address = /[^\s<>()[\]"'@:;,=]+@[^\s<>()[\]"'@:;,=]+|\+?\(?\d(?:[\s().-]{0,2}\d){6,}/g;

/**
 * A provider's words without our secrets, which a text that it quotes may have; and without the addresses in them, where the recipient is sealed: they often repeat whom they are about,
 * and would outlive the key.
 */
export function withoutAddresses(error: Failure, recipient: string): Failure {
  const given = error.provider?.text;
  if (given === undefined) return error;
  const text = maskSecrets(given);
  const masked = isSealed(recipient) ? text.replaceAll(address, "[address]") : text;
  if (masked === given) return error;
  return { ...error, provider: { ...error.provider!, text: masked } };
}
