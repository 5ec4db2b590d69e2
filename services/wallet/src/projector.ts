import { walletEventTypes } from "@heliograph/domain";
import { spaceOfWallet, walletDdl } from "./tables/wallet.ts";
import { projector } from "@heliograph/runtime";
import { walletWrites } from "./store.ts";

/** Small batches wait this long for company: at most ten commits a second. What decides about money reads the log. */
const lingerMs = 100;
/** Who is far behind commits so many at once: by 500 an event costs a fifth more. */
const maxEvents = 2_000;

export const walletSchema = "wallet";

/** Keeps `wallet.holds` and `wallet.wallets`. */
export const walletProjector = projector({
  kind: "projector",
  name: "wallet",
  schema: walletSchema,
  version: 2,
  types: walletEventTypes,
  spaces: { holds: spaceOfWallet("partner"), wallets: spaceOfWallet("partner") },
  ddl: walletDdl,
  lingerMs,
  maxEvents,
  create: () => ({ project: walletWrites }),
});
