import type { Service } from "@heliograph/runtime";
import { walletProjector } from "./projector.ts";
import { walletLedger } from "./reactor.ts";

/** Holds, captures, releases and refunds funds. */
export const service: Service = {
  name: "wallet",
  consumers: () => [walletProjector, walletLedger],
};
