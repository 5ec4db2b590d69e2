import { z } from "zod";
import { gatewayKind } from "../descriptor.ts";
import { createSimulator, simulatorErrors } from "./gateway.ts";
import { simulatorReceipts } from "./receipts.ts";

/** The channels that every sandbox can be sent on. */
const channels = ["sms", "whatsapp", "email", "broadcast"] as const;

/** A provider without a network, for the sandbox: the recipient's address chooses the outcome. */
export const simulator = gatewayKind({
  kind: "simulator",
  channels: ["sms", "whatsapp", "email", "push", "telegram", "broadcast"],
  environments: ["sandbox", "live"],
  settings: z.strictObject({}),
  secrets: z.strictObject({}),
  errors: simulatorErrors,
  create: ({ config, tools }) => createSimulator(config, tools),
  rebuiltBy: [],
  hasBreaker: false,
  playedReceipts: simulatorReceipts,
  declared: () =>
    channels.map((channel) => ({
      environment: "sandbox",
      name: `sim-${channel}`,
      channel,
      on_uncertain: "ask_provider",
      settings: {},
    })),
});
