import {
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
  /** Without a password, for people. */
  readonly name: string;
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
  if (text === "postgres") return postgresEnd("this installation", installation.server);
  if (/^postgres(ql)?:\/\//.test(text)) return postgresEnd(withoutPassword(text), serverOf(text));
  throw new OpsError(`${option}: postgres, eventstoredb, postgres://… or esdb://…`);
}

function postgresEnd(name: string, server: Target["server"]): End {
  return {
    name,
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

function withoutPassword(text: string): string {
  const url = new URL(text);
  url.password = "";
  return url.toString();
}
