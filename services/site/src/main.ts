import { createApp, listen } from "@heliograph/api";
import { onShutdown, refuseToStart } from "@heliograph/platform";
import { newLogger, readSettings, SettingsError } from "@heliograph/runtime";
import { exportSite } from "./export.ts";
import { SitePages } from "./web.ts";

const [command, folder] = process.argv.slice(2);

/** Where nobody says where the site will be. RFC 2606 keeps the name free. */
const somewhere = "https://heliograph.example";

async function write(to: string): Promise<void> {
  const { siteUrl, publicUrl, apiUrl } = readSettings();
  const site = siteUrl ?? publicUrl ?? somewhere;
  if (site === somewhere)
    process.stderr.write(
      `HELIOGRAPH_SITE_URL is not set: canonical addresses are at ${somewhere}\n`,
    );
  const count = await exportSite(to, { origins: { site, api: publicUrl ?? site }, apiUrl });
  process.stdout.write(`${count} files in ${to}\n`);
}

async function serve(): Promise<void> {
  const settings = readSettings();
  const { apiUrl } = settings;
  if (apiUrl === undefined)
    throw new SettingsError(
      "HELIOGRAPH_API_URL: the site in a process of its own has to know where the API is",
    );
  const logger = newLogger(settings.logLevel, { service: "site" });
  const pages = new SitePages({
    settings,
    logger,
    apiUrl: () => apiUrl,
    // Believed where the API trusts this proxy: HELIOGRAPH_TRUST_PROXY.
    visitor: (address) => ({ "X-Forwarded-For": address }),
  });
  const app = createApp(settings.trustProxy);
  app.get("/healthz", (_, response) => void response.json({ status: "ok" }));
  app.get("/readyz", (_, response) => void response.json({ status: "ready" }));
  app.use((request, response) => void pages.handle(request, response));
  const listening = await listen(app, settings.host, settings.port);
  onShutdown(logger, settings.shutdownMs, () => listening.stop(settings.shutdownMs));
  logger.info({ port: listening.port }, "listening");
}

if (command === undefined) serve().catch(refuseToStart);
else if (command === "export" && folder !== undefined) write(folder).catch(refuseToStart);
else {
  process.stderr.write(
    "Usage: npm run site                    serves it\n       npm run site -- export <folder> writes it as files\n",
  );
  process.exitCode = 2;
}
