import { smscDouble } from "@heliograph/testkit";
import type { Gateway, GatewayConfig, GatewayTools } from "../../src/index.ts";
import { createSmppGateway } from "../../src/smpp/gateway.ts";
import { SmppSettings } from "../../src/smpp/settings.ts";
import { timing, type Timing } from "../../src/smpp/timing.ts";
import { attemptOf, configOf, toolsOf } from "../support.ts";

export const never = new AbortController().signal;
export const to = "+15551234567";
export const textOf = (text: string, from?: string) =>
  attemptOf(to, { content: { text }, ...(from !== undefined && { from }) });

const quick: Timing = {
  ...timing,
  retryMs: 10,
  longestRetryMs: 40,
  throttledMs: 10,
  longestThrottledMs: 40,
  unbindMs: 50,
};

type Options = {
  readonly settings?: Partial<SmppSettings>;
  readonly config?: Partial<GatewayConfig>;
  readonly tools?: Partial<GatewayTools>;
  readonly timing?: Partial<Timing>;
  readonly password?: string;
  readonly idOf?: (count: number) => string;
  readonly tls?: { readonly key: string; readonly cert: string };
};

/** A message centre and a gateway to it; `close` ends both. */
export async function smppSetting(options: Options = {}) {
  const { idOf, tls } = options;
  const smsc = await smscDouble({ ...(idOf && { idOf }), ...(tls && { tls }) });
  const said: { readonly fields: Record<string, unknown>; readonly message: string }[] = [];
  const logger = {
    info: (fields: object, message: string) =>
      void said.push({ fields: fields as Record<string, unknown>, message }),
  };
  const gateway: Gateway = createSmppGateway({
    config: configOf({ kind: "smpp", environment: "live", timeout_ms: 5_000, ...options.config }),
    settings: SmppSettings.parse({
      host: smsc.host,
      port: smsc.port,
      system_id: "heliograph",
      ...options.settings,
    }),
    secrets: { password: options.password ?? "secret" },
    tools: toolsOf({ logger, ...options.tools }),
    timing: { ...quick, ...options.timing },
  });
  return {
    smsc,
    gateway,
    said,
    async close(): Promise<void> {
      await gateway.close();
      await smsc.close();
    },
  };
}
export type Setting = Awaited<ReturnType<typeof smppSetting>>;
