import { accountOf, isId, type Channel } from "@heliograph/contracts";
import type { ServiceContext } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";
import { sealedDeviceToken } from "./tables/devices.ts";

/** The token of a partner's device; undefined where the partner has no such device any more. */
export type TokenOf = (partner: string, device: string) => Promise<string | undefined>;

/** Whether what is pushed to is a device of ours, which goes by the token that it has by then. */
export const isDevice = (channel: Channel, to: string): boolean =>
  channel === "push" && isId("dev", to);

/** Undefined in the sandbox: there a device chooses its outcome by its own digits. */
export const deviceTokens = ({
  environment,
  pool,
  vault,
}: Pick<ServiceContext, "environment" | "pool" | "vault">): TokenOf | undefined =>
  environment === "sandbox"
    ? undefined
    : async (space, device) => {
        const partner = accountOf(space);
        const sealed = await sealedDeviceToken(pool, partner, device);
        if (sealed === undefined) return undefined;
        const token = (await vault.open(partner, sealed))(sealed);
        return token === erasedText ? undefined : token;
      };
