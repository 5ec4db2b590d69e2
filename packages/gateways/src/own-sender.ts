import type { GatewaySender } from "@heliograph/domain";
import { gatewayKinds } from "./registry.ts";
import type { GatewayConfig } from "./types.ts";

type Kinded = Pick<GatewayConfig, "kind" | "settings">;

/** Settings never change in place, and each message to a country with a rule asks. */
const known = new WeakMap<object, GatewaySender>();

/** Which sender a message that names none has at a gateway, and whether people can answer through it. */
export function senderAt({ kind, settings }: Kinded): GatewaySender {
  let found = known.get(settings);
  if (found === undefined) {
    const one = gatewayKinds.find((each) => each.kind === kind);
    found = { ownSender: one?.ownSender?.(settings), bringsAnswers: one?.inbound !== undefined };
    known.set(settings, found);
  }
  return found;
}
