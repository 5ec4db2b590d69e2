export { adminTerms, keyIssued, operator, partnerCreated, type KeyTerms } from "./accounts.ts";
export { openPlatform, startServices, type Platform } from "./platform.ts";
export { ensureDemoPartner, demoPartnerId, type DemoKeys } from "./demo-partner.ts";
export { consumersReady, serveHealth } from "./health.ts";
export { onShutdown, refuseToStart } from "./shutdown.ts";
export { runService } from "./run-service.ts";
