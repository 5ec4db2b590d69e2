import { readFileSync } from "node:fs";
import { logMigrations } from "@heliograph/log";
import { runtimeMigrationCount, schemaVersions, serverVersion } from "@heliograph/runtime";
import { auditTables } from "../../../services/control/src/index.ts";
import { together, type Finding, type Namespace, type OpenPlace } from "./check.ts";

const root = new URL("../../../", import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, root), "utf8");
const productVersion = (): string =>
  (JSON.parse(read("package.json")) as { version: string }).version;

/** At which migration this release leaves the schemas that every process opens. */
const known: ReadonlyMap<string, number> = new Map([
  ["log", logMigrations],
  ["runtime", runtimeMigrationCount],
  [auditTables.schema, auditTables.migrations.length],
]);
const namespaces: readonly Namespace[] = ["platform", "live", "sandbox"];

/** Whether every log is at the migrations of this release, so that opening it changes nothing. */
export async function isOfThisRelease({ pool, settings }: OpenPlace): Promise<boolean> {
  if (settings.log === "eventstoredb") return true;
  const all = await Promise.all(namespaces.map((namespace) => schemaVersions(pool(namespace))));
  return all.every((versions) => versions.get("log") === logMigrations);
}

/** What runs here, and at which migration each database is. */
export async function lookAtVersions({ pool }: OpenPlace): Promise<Finding> {
  const server = await serverVersion(pool("platform"));
  const wanted = read(".nvmrc").trim();
  const node = process.version.slice(1);
  const parts = [
    {
      status: node === wanted ? ("ok" as const) : ("warning" as const),
      text: `Node ${node}${node === wanted ? "" : `; this release is tested with ${wanted}`}`,
    },
  ];
  const databases = await Promise.all(
    namespaces.map(async (namespace) =>
      ofDatabase(namespace, await schemaVersions(pool(namespace))),
    ),
  );
  return together(
    `Heliograph ${productVersion()}, Node ${node}, PostgreSQL ${Math.floor(server / 10_000)}.${server % 10_000}`,
    [...parts, ...databases],
  );
}

export function ofDatabase(namespace: Namespace, versions: ReadonlyMap<string, number>) {
  const at = [...versions].map(([schema, number]) => `${schema} ${number}`).join(", ");
  const newer = [...known].filter(([schema, number]) => (versions.get(schema) ?? 0) > number);
  const older = [...known].filter(([schema, number]) => (versions.get(schema) ?? number) < number);
  const names = (those: typeof newer): string => those.map(([schema]) => schema).join(", ");
  if (newer.length > 0)
    return {
      status: "failed" as const,
      text: `${namespace} belongs to a newer release (${names(newer)}): migrations ${at}`,
    };
  if (older.length > 0)
    return {
      status: "warning" as const,
      text: `${namespace} is of an older release (${names(older)}), and the next start brings it up to this one: migrations ${at}`,
    };
  return { status: "ok" as const, text: `${namespace}: migrations ${at || "none"}` };
}
