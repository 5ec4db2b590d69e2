import type { z } from "zod";
import { httpErrors } from "../call.ts";
import { failureOf } from "../failure.ts";
import type { Carrier, Gateway, GatewayConfig, GatewayTools } from "../types.ts";
import type { BroadcastSettings } from "./settings.ts";

const away = "the gateway that it goes through is disabled or gone";

/**
 * Hands a message to the gateway that it goes through, whose connections, credentials and limits it shares. It is one call, so that after a crash the uncertain policy decides about
 * the list as about one recipient; the provider reaches the members.
 */
export function createBroadcastGateway({
  config,
  settings,
  tools,
}: {
  readonly config: GatewayConfig;
  readonly settings: z.infer<typeof BroadcastSettings>;
  readonly tools: GatewayTools;
}): Gateway {
  // Looked for at each call: it may be configured anew, disabled or removed meanwhile.
  const carrier = (): Carrier | undefined => tools.carrier?.(settings.via);
  return {
    name: config.name,
    kind: config.kind,
    async send(attempt, signal) {
      const via = carrier();
      if (via !== undefined) return via.send({ ...attempt, toList: true }, signal);
      const fault = { code: "gateway_unreachable", ...httpErrors.gateway_unreachable };
      return { type: "unavailable", error: failureOf(config.name, fault, { text: away }) };
    },
    async check(signal) {
      const via = carrier();
      if (via === undefined) throw new Error(away);
      await via.check?.(signal);
    },
    close: async () => {},
  };
}
