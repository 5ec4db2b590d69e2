import { gatewayKinds } from "./registry.ts";
import type { GatewayConfig } from "./types.ts";

type Kinded = Pick<GatewayConfig, "kind" | "settings">;

/** Settings never change in place, and each message to a country with a rule asks. */
const known = new WeakMap<object, Means>();

/** `languages`: whose national tables of GSM-7 it sends, by the numbers of TS 23.038. */
export type Means = {
  /** Undefined: the provider chooses, and nobody knows which. */
  readonly ownSender: string | undefined;
  readonly bringsAnswers: boolean;
  readonly languages: readonly number[];
};

/** Which sender a message that names none has at a gateway, whether people can answer through it, and how it writes. */
export function meansOf({ kind, settings }: Kinded): Means {
  let found = known.get(settings);
  if (found === undefined) {
    const one = gatewayKinds.find((each) => each.kind === kind);
    found = {
      ownSender: one?.ownSender?.(settings),
      bringsAnswers: one?.inbound !== undefined,
      languages: one?.languages?.(settings) ?? [],
    };
    known.set(settings, found);
  }
  return found;
}
