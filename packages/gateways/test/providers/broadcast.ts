import { configured, createGateway, type Gateway } from "../../src/index.ts";
import { configOf, toolsOf } from "../support.ts";
import type { Provider } from "./provider.ts";
import { telegram } from "./telegram.ts";

/** The provider of the gateway that it goes through. */
export async function broadcast(): Promise<Provider> {
  const via = await telegram();
  const { gateway_id } = configOf();
  const { masterKey } = toolsOf();
  const open: Gateway[] = [];
  return {
    config: {
      environment: "live" as const,
      channel: "broadcast" as const,
      settings: { via: gateway_id },
    },
    secrets: {},
    tools: {
      carrier(id) {
        if (id !== gateway_id) return undefined;
        const config = configOf({ kind: "telegram", name: "via", ...via.config });
        const gateway = createGateway(
          "live",
          configured(config, via.secrets, masterKey),
          toolsOf(),
        );
        open.push(gateway);
        return gateway;
      },
    },
    weather: (weather) => via.weather(weather) && "spring_news",
    taken: via.taken,
    takesNoReference: true,
    async close() {
      for (const gateway of open) await gateway.close();
      await via.close();
    },
  };
}
