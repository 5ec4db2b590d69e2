import { serveApi } from "@heliograph/api";
import { runService, waitingFor } from "@heliograph/platform";
import { SettingsError } from "@heliograph/runtime";
import { service } from "./index.ts";

/** The console alone. Any number may run side by side; a proxy leads `/console` of the common origin here. */
await runService(service, (platform, running) => {
  if (platform.settings.apiUrl === undefined)
    throw new SettingsError(
      "HELIOGRAPH_API_URL: a console that runs alone needs the address of the REST API",
    );
  const { contexts: environments } = platform;
  return serveApi({ ...platform, environments, waitingFor: () => waitingFor(running) }, [service]);
});
