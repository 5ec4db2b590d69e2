import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { Finished } from "./run.ts";

type Advisory = {
  readonly url: string;
  readonly title: string;
  readonly severity: string;
  readonly vulnerable_versions: string;
};
/** An advisory that was looked into: `id` is the end of its address, `GHSA-…`. */
type Allowed = { readonly id: string; readonly reason: string };

const grave = new Set(["high", "critical"]);
/** Whoever is not there by then will not be, and the other checks are long done. */
const patienceMs = 10_000;
const publicRegistry = "https://registry.npmjs.org/";
const listFile = "scripts/check/advisories.json";

/** What the lockfile installs: each package with its versions. */
export function installed(lockfile: string): Readonly<Record<string, readonly string[]>> {
  const versions: Record<string, Set<string>> = {};
  for (const document of parseAllDocuments(lockfile)) {
    const { packages = {} } = document.toJS() as { packages?: Record<string, unknown> };
    for (const key of Object.keys(packages)) {
      const at = key.indexOf("@", 1);
      (versions[key.slice(0, at)] ??= new Set()).add(key.slice(at + 1));
    }
  }
  return Object.fromEntries(Object.entries(versions).map(([name, each]) => [name, [...each]]));
}

/**
 * Asks the registry for advisories on what the lockfile installs. Fails on those of high or critical severity, but for those that the list beside this file has with a reason. Skipped, with what is
 * the matter, where there is no registry that answers: everything else here works offline too.
 */
export async function checkAdvisories({
  registry = process.env["npm_config_registry"] ?? publicRegistry,
  lockfile = readFileSync("pnpm-lock.yaml", "utf8"),
  list = readFileSync(listFile, "utf8"),
} = {}): Promise<Finished> {
  const allowed = JSON.parse(list) as readonly Allowed[];
  const unreasoned = allowed.filter(({ reason }) => (reason ?? "").trim() === "");
  if (unreasoned.length > 0)
    return failing(unreasoned.map(({ id }) => `${listFile}: ${id} has no reason`));
  let found: Readonly<Record<string, readonly Advisory[]>>;
  try {
    const url = new URL("-/npm/v1/security/advisories/bulk", registry.replace(/\/?$/, "/"));
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(installed(lockfile)),
      signal: AbortSignal.timeout(patienceMs),
    });
    if (!response.ok) return skipped(`${url.host} answered ${response.status}`);
    found = (await response.json()) as typeof found;
  } catch (error) {
    const { message, cause } = error as Error;
    return skipped(cause instanceof Error ? cause.message : message);
  }
  const known = new Set(allowed.map(({ id }) => id));
  return failing(
    Object.entries(found).flatMap(([name, advisories]) =>
      advisories
        .filter(({ severity, url }) => grave.has(severity) && !known.has(url.split("/").at(-1)!))
        .map(
          ({ severity, title, url, vulnerable_versions: range }) =>
            `${name} ${range}: ${severity}: ${title} (${url})`,
        ),
    ),
  );
}

const skipped = (why: string): Finished => ({
  code: 0,
  output: "",
  skipped: `no registry tells of advisories: ${why}`,
});

const failing = (lines: readonly string[]): Finished => ({
  code: lines.length === 0 ? 0 : 1,
  output: lines.map((line) => `${line}\n`).join(""),
});
