export { openPlatform, startServices, type Platform } from "./platform.ts";
export { ensureDemoPartner, demoPartnerId, type DemoKeys } from "./demo-partner.ts";
export { consumersReady, serveHealth } from "./health.ts";
export { onShutdown, refuseToStart } from "./shutdown.ts";
export { runService } from "./run-service.ts";
export { gatewaysOfSettings } from "./seed.ts";
