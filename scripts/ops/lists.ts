import { environments, type Environment } from "@heliograph/contracts";
import { listDeadLetters, listProjections, openLog, retryDeadLetter } from "@heliograph/runtime";
import { sayTable } from "../shared/table.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

const lettersAtOnce = 50;
const of = (environment: Environment | undefined): readonly Environment[] =>
  environment === undefined ? environments : [environment];

/** Shows every consumer as its owner last showed itself. */
export async function showProjections(
  target: Target,
  environment: Environment | undefined,
): Promise<boolean> {
  const rows = [["name", "environment", "kind", "position", "lag", "events/s", "status", "error"]];
  for (const name of of(environment)) {
    const log = await openLog(target.settings, target.server, name, target.logger);
    const head = await log.head();
    await log.close();
    for (const row of await listProjections(await target.pool(name))) {
      const end = row.head ?? head;
      rows.push([
        row.name,
        name,
        row.kind,
        `${row.position}`,
        `${log.span(row.position, end)}`,
        row.rate.toFixed(0),
        row.status,
        row.last_error ?? "",
      ]);
    }
  }
  sayTable(rows);
  return true;
}

/** Shows the newest dead letters of each environment. */
export async function showDeadLetters(
  target: Target,
  environment: Environment | undefined,
  status: string | undefined,
): Promise<boolean> {
  const rows = [
    ["id", "environment", "consumer", "position", "event", "status", "tries", "reason"],
  ];
  for (const name of of(environment)) {
    const options = { limit: lettersAtOnce, ...(status !== undefined && { status }) };
    for (const letter of await listDeadLetters(await target.pool(name), options)) {
      const { id, consumer, position, event_type, attempts, reason } = letter;
      const line = reason.split("\n")[0]!;
      rows.push([id, name, consumer, position, event_type, letter.status, `${attempts}`, line]);
    }
  }
  if (rows.length === 1) process.stdout.write("No dead letters.\n");
  else sayTable(rows);
  return true;
}

/** Asks the consumer to handle one again; its process does so within two seconds. Throws OpsError when there is none to retry. */
export async function retry(
  target: Target,
  environment: Environment,
  id: string,
): Promise<boolean> {
  if (!(await retryDeadLetter(await target.pool(environment), id)))
    throw new OpsError(`${environment} has no unresolved dead letter ${id}`);
  process.stdout.write(`Dead letter ${id} is handed to its consumer again.\n`);
  return true;
}
