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
import { OpsError, type Target } from "./target.ts";

/** One of the two places of a copy. */
export type End = {
  source(
    namespace: Namespace,
    options: { readonly servicesMayRun: boolean },
  ): Promise<CopySide & { readonly log: CopySource }>;
  target(namespace: Namespace): Promise<CopySide & CopyTarget>;
};

/**
 * Reads `--from` or `--to`: `postgres://…/<prefix>`, the database of this installation when it is `postgres`, `esdb://…`, or
 * `HELIOGRAPH_EVENTSTORE_URL` when it is `eventstoredb`. Throws OpsError when it is none of them.
 */
export function endOf(text: string, option: string, installation: Target): End {
  if (text === "postgres") return postgresEnd(installation.server);
  if (text === "eventstoredb") {
    const { eventstoreUrl } = installation.settings;
    if (eventstoreUrl === undefined)
      throw new OpsError(`${option} eventstoredb: HELIOGRAPH_EVENTSTORE_URL is not set`);
    return eventStoreEnd(eventstoreUrl);
  }
  if (/^esdb(\+discover)?:\/\//.test(text)) return eventStoreEnd(text);
  if (/^postgres(ql)?:\/\//.test(text)) return postgresEnd(serverOf(text));
  throw new OpsError(`${option}: postgres, eventstoredb, postgres://… or esdb://…`);
}

function postgresEnd(server: Target["server"]): End {
  return {
    source: (namespace, { servicesMayRun }) =>
      openPostgresCopySource({
        connection: databaseConfig(server, namespace),
        namespace,
        servicesMayRun,
      }),
    async target(namespace) {
      await createDatabases(server);
      return openPostgresCopyTarget({ connection: databaseConfig(server, namespace), namespace });
    },
  };
}

const eventStoreEnd = (connectionString: string): End => ({
  source: (namespace) => openEventStoreCopySource({ connectionString, namespace }),
  target: (namespace) => openEventStoreCopyTarget({ connectionString, namespace }),
});
