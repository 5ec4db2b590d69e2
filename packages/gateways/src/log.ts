import type { Gateway, GatewayConfig, GatewayTools } from "./types.ts";

/** Writes one log line per message and accepts it: for trials of the live environment without a provider. */
export function createLogGateway(config: GatewayConfig, tools: GatewayTools): Gateway {
  return {
    name: config.name,
    kind: "log",
    async send(attempt) {
      // The content stays out of the log: it is the partner's, and may hold one-time codes.
      tools.logger.info(
        {
          gateway: config.name,
          channel: attempt.channel,
          message: attempt.messageId,
          attempt: attempt.attemptId,
          to: attempt.to,
        },
        "message taken by the log gateway",
      );
      return {
        type: "accepted",
        providerMessageId: `log_${attempt.attemptId.slice(4)}`,
        status: "logged",
      };
    },
    async lookup() {
      return "unknown";
    },
    close: async () => {},
  };
}
