export { openVault, type Open, type Seal, type Vault } from "./vault.ts";
export type { Subject } from "./keyring.ts";
export { erasedText, hideTokens, isSealed, keyIdOf, mayHoldTokens, type Sealed } from "./token.ts";
export { vaultTables } from "./tables/keys.ts";
