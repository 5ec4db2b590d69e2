import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { defaultPriceList } from "@heliograph/domain";
import type { Origins } from "./entry.ts";
import { ownFiles } from "./files.ts";
import { htaccess } from "./htaccess.ts";
import { askFor, type Live } from "./live.ts";
import { buildSite } from "./site.ts";

/** The platform that is asked for its prices; undefined: those that are built in. */
type Options = { readonly origins: Origins; readonly apiUrl: string | undefined };

/**
 * Writes the site as files with an `.htaccess`, the bytes that the server sends. A copy cannot ask for a state and cannot send a form: these two pages say so, and how to do it by
 * hand. What is in the folder and belongs to nothing stays.
 *
 * @returns how many files there are
 */
export async function exportSite(folder: string, { origins, apiUrl }: Options): Promise<number> {
  const site = buildSite(ownFiles, origins);
  const live: Live =
    apiUrl === undefined ? { prices: defaultPriceList } : await askFor("prices", apiUrl);
  if (live.prices === undefined) throw new Error(`${apiUrl} does not say what messages cost`);
  const files = new Map<string, string | Buffer>();
  for (const entry of [...site.entries.values(), site.notFound])
    files.set(`${entry.path === "/" ? "/index" : entry.path}.html`, site.page(entry, live));
  for (const [path, { body }] of site.assets) files.set(path, body());
  const stylePath = [...site.assets.keys()].find((path) => path.endsWith(".css"))!;
  files.set("/.htaccess", htaccess(origins, stylePath));
  for (const [path, content] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return files.size;
}
