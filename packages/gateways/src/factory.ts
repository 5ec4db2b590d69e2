import type { Environment } from "@heliograph/contracts";
import { createLogGateway } from "./log.ts";
import { createSimulator } from "./simulator.ts";
import { createSmtpGateway } from "./smtp.ts";
import type { Gateway, GatewayConfig, GatewayTools } from "./types.ts";

/** A gateway that must not exist where it was asked for, or whose settings cannot work. */
export class GatewayRefused extends Error {
  override readonly name = "GatewayRefused";
}

/**
 * The only way to a gateway. In the sandbox it makes simulators and nothing else, whatever the configuration says: this is what
 * keeps test messages away from real people. Throws GatewayRefused.
 */
export function createGateway(
  environment: Environment,
  config: GatewayConfig,
  tools: GatewayTools,
): Gateway {
  if (config.environment !== environment)
    throw new GatewayRefused(
      `gateway ${config.name} belongs to ${config.environment}, not to ${environment}`,
    );
  if (environment === "sandbox" && config.kind !== "simulator")
    throw new GatewayRefused(
      `gateway ${config.name}: the sandbox has no ${config.kind} gateways, only simulators`,
    );
  switch (config.kind) {
    case "simulator":
      return createSimulator(config, tools);
    case "smtp":
      return createSmtpGateway(config, smtpUrl(config, tools));
    case "log":
      return createLogGateway(config, tools);
    default:
      throw new GatewayRefused(`gateway kind ${String(config.kind satisfies never)} is not known`);
  }
}

/** All enabled gateways of an environment by name. Throws GatewayRefused at the first that must not exist. */
export function createGateways(
  environment: Environment,
  configs: readonly GatewayConfig[],
  tools: GatewayTools,
): ReadonlyMap<string, Gateway> {
  return new Map(
    configs
      .filter((config) => config.enabled)
      .map((config) => [config.name, createGateway(environment, config, tools)]),
  );
}

function smtpUrl({ name, settings }: GatewayConfig, { smtpUrls }: GatewayTools): string {
  const index = settings["smtp_url_index"];
  const url = typeof index === "number" ? smtpUrls[index] : settings["url"];
  if (typeof url !== "string" || !URL.canParse(url) || !/^smtps?:\/\/./.test(url))
    throw new GatewayRefused(`gateway ${name}: HELIOGRAPH_SMTP_URL has no entry ${String(index)}`);
  return url;
}
