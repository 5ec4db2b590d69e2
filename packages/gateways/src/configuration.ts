import { openSecret, sealSecret } from "@heliograph/contracts";
import type { Secrets } from "./descriptor.ts";
import type { GatewayConfig } from "./types.ts";

/** Each secret is sealed by itself. What may be configured at all `configured` decides, in `registry.ts`. */
export function sealedConfig(
  config: Omit<GatewayConfig, "secrets">,
  secrets: Secrets,
  masterKey: Buffer,
): GatewayConfig {
  const sealed = Object.entries(secrets).map(([name, secret]) => [
    name,
    sealSecret(masterKey, secret),
  ]);
  return sealed.length === 0 ? config : { ...config, secrets: Object.fromEntries(sealed) };
}

/** Throws when the master key is not the one that sealed them. */
export const openedSecrets = (config: GatewayConfig, masterKey: Buffer): Secrets =>
  Object.fromEntries(
    Object.entries(config.secrets ?? {}).map(([name, sealed]) => [
      name,
      openSecret(masterKey, sealed),
    ]),
  );

/** Whether a stored configuration is this one: sealing the same secret twice gives two texts, so what is sealed is compared. */
export function isSameConfig(
  stored: GatewayConfig,
  config: Omit<GatewayConfig, "secrets">,
  secrets: Secrets,
  masterKey: Buffer,
): boolean {
  const { secrets: _, ...readable } = stored;
  if (JSON.stringify(readable) !== JSON.stringify(config)) return false;
  try {
    return JSON.stringify(openedSecrets(stored, masterKey)) === JSON.stringify(secrets);
  } catch {
    return false;
  }
}
