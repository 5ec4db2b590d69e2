export { openVault, type Open, type Seal, type Vault } from "./vault.ts";
export { resealText, resealVault } from "./reseal.ts";
export { resealColumn, type Resealed, type SealedColumn } from "./tables/reseal.ts";
export { rememberedMs } from "./keyring.ts";
export { erasedText, hideTokens, isSealed, keyIdOf, mayHoldTokens, type Sealed } from "./token.ts";
export {
  maxSharers,
  vaultTables,
  type Adopted,
  type OwnedKey,
  type Subject,
} from "./tables/keys.ts";
