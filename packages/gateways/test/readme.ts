// What the README shows, compiled.
import {
  createGateway,
  type Attempt,
  type GatewayConfig,
  type GatewayTools,
} from "../src/index.ts";

declare const config: GatewayConfig;
declare const settings: GatewayTools["declaring"];
declare const logger: GatewayTools["logger"];
declare const masterKey: Buffer;
declare const onReceipt: GatewayTools["onReceipt"];
declare const signal: AbortSignal;
declare const { attemptId, messageId, to, channel, content, partner }: Attempt;

export async function example(): Promise<void> {
  const gateway = createGateway("live", config, {
    logger,
    masterKey,
    declaring: settings,
    onReceipt,
    origin: "https://api.example.com",
  });
  const attempt = { attemptId, messageId, attempt: 1, to, channel, content, partner };
  const result = await gateway.send(attempt, signal);
  switch (result.type) {
    case "accepted": // providerMessageId, status
    case "rejected": // error.permanent tells whether another attempt can help
    case "uncertain": // the provider may or may not have taken it
    case "unavailable": // there was no connection, so it was no attempt
  }
}
