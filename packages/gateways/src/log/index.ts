import { channels } from "@heliograph/contracts";
import { z } from "zod";
import { gatewayKind } from "../descriptor.ts";
import { playedDelayMs, playedReceipt } from "../played-receipts.ts";
import { createLogGateway } from "./gateway.ts";

/** Trials of the live environment without a provider: one log line a message, and a receipt that says it was delivered. */
export const log = gatewayKind({
  kind: "log",
  channels,
  environments: ["live"],
  settings: z.strictObject({}),
  secrets: z.strictObject({}),
  errors: {},
  create: ({ config, tools }) => createLogGateway(config, tools),
  rebuiltBy: [],
  asks: true,
  hasBreaker: true,
  keepsLists: true,
  playedReceipts: (sent, sentAt) => [
    playedReceipt(sent, sentAt, "delivered", playedDelayMs(sent.attemptId)),
  ],
  declared: ({ logGatewayChannels }) =>
    channels
      .filter((channel) => logGatewayChannels.includes(channel))
      .map((channel) => ({
        environment: "live",
        name: `log-${channel}`,
        channel,
        on_uncertain: "at_least_once",
        settings: {},
        weight: 1,
      })),
});
