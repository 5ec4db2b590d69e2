import { walletEventTypes } from "@heliograph/domain";
import { spaceOfWallet, walletDdl } from "./tables/wallet.ts";
import { projector } from "@heliograph/runtime";
import { walletWrites } from "./store.ts";

/** Keeps `wallet.holds` and `wallet.wallets`. */
export const walletProjector = projector({
  kind: "projector",
  name: "wallet",
  schema: "wallet",
  version: 2,
  types: walletEventTypes,
  spaces: { holds: spaceOfWallet("partner"), wallets: spaceOfWallet("partner") },
  ddl: walletDdl,
  create: () => ({ project: walletWrites }),
});
