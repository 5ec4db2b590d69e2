export { adminTerms, keyIssued, operator, partnerCreated, type KeyTerms } from "./accounts.ts";
export {
  openControlPlane,
  openPlatform,
  platformContext,
  startServices,
  type ControlPlane,
  type Platform,
} from "./platform.ts";
export { ensureDemoPartner, startSandbox, type DemoKeys } from "./demo-partner.ts";
export { serveHealth, untilReady, waitingFor } from "./health.ts";
export {
  acceptMasterKey,
  beginRotation,
  endRotation,
  masterKeyFingerprint,
  masterKeyState,
  named,
  processesWithout,
  type Rotation,
  rotatedKeys,
} from "./master-key.ts";
export { onShutdown, refuseToStart } from "./shutdown.ts";
export { refusalOf } from "./refusal.ts";
export * from "./credentials/index.ts";
export { evolveAgent } from "./directory/agents.ts";
export { evolveKey } from "./directory/keys.ts";
export { evolvePartner } from "./directory/partners.ts";
export { roleScopes, scopesOf, sessionStands, type Role, type SessionStart } from "./roles.ts";
export { runService } from "./run-service.ts";
export { inWorkers } from "./workers.ts";
export { openDirectory } from "./directory/directory.ts";
export type {
  Directory,
  Gateway,
  Key,
  Partner,
  PriceList,
  Routing,
  SenderRules,
} from "./directory/directory.ts";
