import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { UsageError } from "./command.ts";

type File = { readonly key?: string; readonly url?: string; readonly webhook_secret?: string };
type Environment = Readonly<Record<string, string | undefined>>;

const localUrl = "http://127.0.0.1:8080";
const privateMode = 0o600;

/** By the XDG Base Directory Specification, as other tools. */
const pathIn = (env: Environment): string =>
  join(env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "heliograph", "config.json");

function readFile(path: string): File {
  let content: string;
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0)
      throw new UsageError(`${path} can be read by others. Run: chmod 600 ${path}`);
    content = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
  const found = objectIn(content);
  // The parser's own message would show what stands there.
  if (found === undefined)
    throw new UsageError(
      `${path} is no JSON of ours. Remove it, and run \`heliograph configure\`.`,
    );
  return found;
}

function objectIn(content: string): File | undefined {
  try {
    const found: unknown = JSON.parse(content);
    return typeof found === "object" && found !== null ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Whole or not at all, and never readable by others, not even for a moment. */
function writeFile(path: string, content: File): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const half = `${path}.${randomUUID()}`;
  // A file that is there already would keep its mode, and might be a link.
  const options = { mode: privateMode, flag: "wx" };
  writeFileSync(half, `${JSON.stringify(content, undefined, 2)}\n`, options);
  renameSync(half, path);
}

/** What the program knows of whom it works for: the environment's variables, else its file. */
export function openConfig(env: Environment) {
  const path = pathIn(env);
  const file = readFile(path);
  const key = env["HELIOGRAPH_KEY"] || file.key;
  return {
    path,
    url: env["HELIOGRAPH_URL"] || file.url || localUrl,
    key(): string {
      if (key) return key;
      throw new UsageError("There is no key. Run `heliograph configure`, or set HELIOGRAPH_KEY.");
    },
    environment(): "sandbox" | "live" | "unknown" {
      const [, of] = /^a[ks]_(test|live)_/.exec(key ?? "") ?? [];
      return of === "test" ? "sandbox" : of === "live" ? "live" : "unknown";
    },
    webhookSecret(): string {
      if (file.webhook_secret) return file.webhook_secret;
      const made = `whsec_${randomBytes(24).toString("base64")}`;
      writeFile(path, { ...file, webhook_secret: made });
      return made;
    },
    save: (given: { readonly key: string; readonly url: string }): void =>
      writeFile(path, { ...file, ...given }),
  };
}
