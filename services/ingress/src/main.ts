import { inWorkers, runService, waitingFor } from "@heliograph/platform";
import { service, startIngress } from "./index.ts";

/** The REST API alone. Any number may run side by side. */
await inWorkers(() =>
  runService(service, (platform, running) =>
    startIngress({
      ...platform,
      environments: platform.contexts,
      waitingFor: () => waitingFor(running),
    }),
  ),
);
