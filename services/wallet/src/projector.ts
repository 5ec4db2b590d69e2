import { walletEventTypes } from "@heliograph/domain";
import { walletDdl } from "./tables/wallet.ts";
import type { Projector } from "@heliograph/runtime";
import { walletWrites } from "./store.ts";

/** Keeps `wallet.holds` and `wallet.wallets`. */
export const walletProjector: Projector = {
  kind: "projector",
  name: "wallet",
  schema: "wallet",
  types: walletEventTypes,
  ddl: walletDdl,
  create: () => ({ project: walletWrites }),
};
