import {
  openEventStoreCopySource,
  openEventStoreCopyTarget,
  openPostgresCopySource,
  openPostgresCopyTarget,
  type CopySide,
  type CopySource,
  type CopyTarget,
} from "@heliograph/log";
import { createDatabases, databaseConfig, serverOf, type Namespace } from "@heliograph/runtime";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/** One of the two places of a copy. */
export type End = {
  /** The nodes of a cluster of EventStoreDB. */
  readonly cluster?: string;
  source(
    namespace: Namespace,
    options: { readonly servicesMayRun: boolean },
  ): Promise<CopySide & { readonly log: CopySource }>;
  target(namespace: Namespace): Promise<CopySide & CopyTarget>;
};

/** Reads `--from` and `--to`. Throws OpsError when one is no place, or both are the same cluster; that two databases are one shows when both are open. */
export function endsOf(from: string, to: string, installation: Target): { from: End; to: End } {
  const ends = { from: endOf(from, "--from", installation), to: endOf(to, "--to", installation) };
  if (ends.from.cluster !== undefined && ends.from.cluster === ends.to.cluster)
    throw new OpsError("--from and --to are the same place");
  return ends;
}

/**
 * Reads `--from` or `--to`: `postgres://…/<prefix>`, the database of this installation when it is `postgres`, `esdb://…`, or
 * `HELIOGRAPH_EVENTSTORE_URL` when it is `eventstoredb`. Throws OpsError when it is none of them.
 */
function endOf(text: string, option: string, installation: Target): End {
  const { archiveDir } = installation.settings;
  if (text === "postgres") return postgresEnd(installation.server, archiveDir);
  if (text === "eventstoredb") {
    const { eventstoreUrl } = installation.settings;
    if (eventstoreUrl === undefined)
      throw new OpsError(`${option} eventstoredb: HELIOGRAPH_EVENTSTORE_URL is not set`);
    return eventStoreEnd(eventstoreUrl);
  }
  if (/^esdb(\+discover)?:\/\//.test(text)) return eventStoreEnd(text);
  if (/^postgres(ql)?:\/\//.test(text)) return postgresEnd(serverOf(text), archiveDir);
  throw new OpsError(`${option}: postgres, eventstoredb, postgres://… or esdb://…`);
}

function postgresEnd(server: Target["server"], archiveDir: string): End {
  return {
    source: (namespace, { servicesMayRun }) =>
      openPostgresCopySource({
        connection: databaseConfig(server, namespace),
        namespace,
        archiveDir,
        servicesMayRun,
      }),
    async target(namespace) {
      await createDatabases(server);
      const connection = databaseConfig(server, namespace);
      return openPostgresCopyTarget({ connection, namespace, archiveDir });
    },
  };
}

const eventStoreEnd = (connectionString: string): End => ({
  // `esdb://user:password@host:port,host:port/?options`
  cluster: connectionString
    .replace(/^[^:]+:\/\/(?:[^@/?]*@)?/, "")
    .split(/[/?]/, 1)[0]!
    .toLowerCase()
    .split(",")
    .toSorted()
    .join(),
  source: (namespace) => openEventStoreCopySource({ connectionString, namespace }),
  target: (namespace) => openEventStoreCopyTarget({ connectionString, namespace }),
});
