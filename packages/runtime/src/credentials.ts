import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** No setting is longer; a file that is was put there by mistake. */
const maxBytes = 65_536;

/**
 * The environment, and what stands in files of `CREDENTIALS_DIRECTORY` that are named as settings are: so systemd's LoadCredential= and mounted secrets of containers give secrets that no child
 * and no list of processes shows. The environment wins. A line end behind a value is none of it. Throws an error that names the file.
 */
export function withCredentials(env: Environment): Environment {
  const folder = env["CREDENTIALS_DIRECTORY"];
  if (folder === undefined || folder === "") return env;
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder)) {
    if (!/^HELIOGRAPH_[A-Z0-9_]+$/.test(name)) continue;
    const path = join(folder, name);
    if (statSync(path).size > maxBytes) throw new Error(`${path} is longer than ${maxBytes} bytes`);
    found[name] = readFileSync(path, "utf8").replace(/\r?\n$/, "");
  }
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  return { ...found, ...set };
}
