import type { Service } from "@heliograph/api";
import { walletRoutes } from "./api/wallet.ts";
import { walletProjector } from "./projector.ts";
import { walletLedger } from "./reactor.ts";

export { proveShown } from "./nightly.ts";
export { walletSchema } from "./projector.ts";
export { walletLedger } from "./reactor.ts";
export { lastMovedWallets, proofState } from "./tables/proofs.ts";
export { walletPositions } from "./tables/wallet.ts";

/** Holds, captures, releases and refunds funds. */
export const service: Service = {
  name: "wallet",
  api: {
    groups: [
      {
        tag: "wallet",
        description: "Balance, movements, proof and top-ups.",
        routes: walletRoutes,
      },
    ],
  },
  consumers: () => [walletProjector, walletLedger],
};
