import { channels } from "@heliograph/contracts";
import { z } from "zod";
import { gatewayKind } from "../descriptor.ts";
import { createSimulator, simulatorErrors } from "./gateway.ts";
import { simulatedInbound } from "./inbound.ts";
import { simulatorReceipts } from "./receipts.ts";

/** A provider without a network, for the sandbox: the recipient's address chooses the outcome. */
export const simulator = gatewayKind({
  kind: "simulator",
  channels,
  environments: ["sandbox", "live"],
  // In live it would report messages as delivered that nobody got; what measures and tries the platform itself puts it there by other ways.
  addedIn: ["sandbox"],
  settings: z.strictObject({}),
  secrets: z.strictObject({}),
  errors: simulatorErrors,
  create: ({ config, tools }) => createSimulator(config, tools),
  rebuiltBy: [],
  asks: true,
  hasBreaker: false,
  playedReceipts: simulatorReceipts,
  inbound: simulatedInbound,
  declared: () =>
    channels.map((channel) => ({
      environment: "sandbox",
      name: `sim-${channel}`,
      channel,
      on_uncertain: "ask_provider",
      settings: {},
    })),
});
