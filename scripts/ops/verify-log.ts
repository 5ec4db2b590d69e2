import { readEventFlaw } from "@heliograph/contracts";
import {
  openEventStoreCopySource,
  verifyByReading,
  verifyPostgresLog,
  type VerifiedLog,
  type VerifyLogOptions,
} from "@heliograph/log";
import { databaseConfig, type Namespace } from "@heliograph/runtime";
import { newLine, progressText } from "./progress.ts";
import type { Anchor } from "./anchor.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/** Verifies one namespace after the other and says what each came to; false at the first flaw. */
export async function verifyNamespaces(
  target: Target,
  request: {
    readonly namespaces: readonly Namespace[];
    readonly anchor: Anchor | undefined;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  if (request.anchor !== undefined && request.namespaces.length > 1)
    throw new OpsError("an anchor belongs to one namespace: say which with --namespace");
  for (const namespace of request.namespaces) {
    const options = {
      seals: request.anchor === undefined ? [] : [request.anchor],
      signal: request.signal,
    };
    const verified = await verifyNamespace(target, namespace, options);
    const copied = request.anchor !== undefined && verified.compared === 0;
    say(`${namespace}: ${resultText(verified)}`);
    if (verified.flaw !== undefined) return false;
    if (copied) throw new OpsError("the anchor is of a part that was copied here from another log");
  }
  return true;
}

/** Verifies one namespace, and shows meanwhile how far it is. */
export async function verifyNamespace(
  target: Target,
  namespace: Namespace,
  given: Omit<VerifyLogOptions, "flawOf" | "onProgress">,
): Promise<VerifiedLog> {
  const line = newLine();
  const startedAt = performance.now();
  const options: VerifyLogOptions = {
    ...given,
    flawOf: readEventFlaw,
    onProgress({ phase, done, position, head }) {
      const elapsedMs = performance.now() - startedAt;
      line.show(
        phase === "events"
          ? `${namespace}: ${progressText(Number(position), Number(head), elapsedMs)}`
          : `${namespace}: ${count(done)} streams`,
      );
    },
  };
  return verify(target, namespace, options).finally(() => line.end());
}

async function verify(
  target: Target,
  namespace: Namespace,
  options: VerifyLogOptions,
): Promise<VerifiedLog> {
  const { log, eventstoreUrl, archiveDir } = target.settings;
  if (log !== "eventstoredb")
    return verifyPostgresLog(databaseConfig(target.server, namespace), { ...options, archiveDir });
  if (options.from !== undefined || (options.seals ?? []).length > 0)
    throw new OpsError("EventStoreDB keeps no chain of hashes");
  const connectionString = eventstoreUrl!;
  const source = await openEventStoreCopySource({ connectionString, namespace });
  try {
    return await verifyByReading(source.log, options);
  } finally {
    await source.close();
  }
}

function resultText({ events, position, hash, flaw }: VerifiedLog): string {
  const read = `${count(events)} events up to position ${position}`;
  if (flaw !== undefined)
    return `FLAW at position ${flaw.position}: ${flaw.what} (${read} are sound)`;
  return hash === undefined
    ? `${read}: positions, revisions, JSON and schemas are sound; EventStoreDB keeps no chain of hashes, so what was changed with care is not seen`
    : `${read} are whole; anchor ${position}:${hash}`;
}

const count = (value: number): string => value.toLocaleString("en");
const say = (text: string): void => void process.stdout.write(`${text}\n`);
