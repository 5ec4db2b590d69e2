import { isIP } from "node:net";
import {
  type Call,
  createAddressGuard,
  dialTarget,
  localAddresses,
  notValid,
} from "@heliograph/api";

/**
 * Refuses what could never be delivered to: an address in the URL that no webhook may go to, and plain HTTP in the live environment where the operator
 * did not allow it. Names are judged when they are dialled. Throws `invalid_request`.
 */
export function requireReachable(call: Call<unknown, unknown>, url: string): void {
  const { webhookAllowCidrs, webhookPlainHttp } = call.context.settings;
  const guard = createAddressGuard(webhookAllowCidrs);
  const { host, secure } = dialTarget(new URL(url));
  const addresses = isIP(host) === 0 ? localAddresses(host) : [host];
  const refuse = (message: string): never => {
    throw notValid("body", [{ path: "url", code: "invalid_value", message }]);
  };
  if (addresses?.every((address) => guard(address) !== undefined))
    refuse(`leads to ${host}, to which webhooks are not sent: it is not a public address`);
  // A private address is there because the operator allowed it.
  const allowed = addresses?.some((address) => createAddressGuard([])(address) !== undefined);
  if (call.env === "live" && !secure && !webhookPlainHttp && !allowed)
    refuse("must begin with https:// in the live environment");
}
