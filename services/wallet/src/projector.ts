import { walletEventTypes } from "@heliograph/domain";
import { walletDdl } from "./tables/wallet.ts";
import { projector } from "@heliograph/runtime";
import { walletWrites } from "./store.ts";

/** Keeps `wallet.holds` and `wallet.wallets`. */
export const walletProjector = projector({
  kind: "projector",
  name: "wallet",
  schema: "wallet",
  version: 2,
  types: walletEventTypes,
  ddl: walletDdl,
  create: () => ({ project: walletWrites }),
});
