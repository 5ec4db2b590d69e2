import { countDeadLetters, listProjections, type ProjectionRow } from "@heliograph/runtime";
import {
  count,
  duration,
  together,
  unlessMissing,
  type Finding,
  type Namespace,
  type OpenPlace,
  type Status,
} from "./check.ts";

const namespaces: readonly Namespace[] = ["live", "sandbox", "platform"];
/** As the alert rules have it: behind for so long is worth a look, standing still for so long is a fault. */
const lateMs = 60_000;
const stuckMs = 300_000;

export function ofConsumer(
  row: ProjectionRow,
  lag: number,
): { readonly status: Status; readonly words: string } {
  const behind = lag === 0 ? "" : `, ${count(lag)} events behind`;
  const error = row.last_error === undefined ? "" : ` (${row.last_error.split("\n")[0]})`;
  if (row.status === "silent")
    return { status: "failed", words: `no process has shown it for ten seconds${behind}` };
  if (row.status !== "running" && row.status !== "rebuilding")
    return { status: "failed", words: `${row.status}${behind}${error}` };
  if (lag > 0 && row.behindMs > stuckMs)
    return { status: "failed", words: `${duration(row.behindMs)} without moving${behind}${error}` };
  if (row.status === "rebuilding" || (lag > 0 && row.behindMs > lateMs))
    return { status: "warning", words: `${row.status}${behind}${error}` };
  return { status: "ok", words: `running${behind}` };
}

export async function lookAtConsumers({ pool, log }: OpenPlace): Promise<Finding> {
  const parts: { status: Status; text: string }[] = [];
  let most = 0;
  for (const namespace of namespaces) {
    const rows = await unlessMissing(listProjections(pool(namespace)));
    if (rows === undefined || rows.length === 0) continue;
    const events = await log(namespace);
    const head = await events.head();
    for (const row of rows) {
      const lag = events.span(row.position, row.head ?? head);
      const { status, words } = ofConsumer(row, lag);
      most = Math.max(most, lag);
      parts.push({ status, text: `${namespace} ${row.name}: ${words}` });
    }
  }
  if (parts.length === 0)
    return { status: "warning", summary: "no consumer has ever run on these databases" };
  const well = parts.filter(({ status }) => status === "ok").length;
  const finding = together(
    `${well} of ${parts.length} consumers run; the furthest is ${count(most)} events behind`,
    parts.filter(({ status }) => status !== "ok"),
  );
  return well === parts.length ? { ...finding, status: "ok" } : finding;
}

/** Events that had no effect because their consumer could not handle them. */
export async function lookAtDeadLetters({ pool }: OpenPlace): Promise<Finding> {
  const details: string[] = [];
  let open = 0;
  for (const namespace of namespaces)
    for (const letters of (await unlessMissing(countDeadLetters(pool(namespace)))) ?? []) {
      open += letters.open;
      details.push(`${namespace} ${letters.consumer}: ${count(letters.open)}`);
    }
  if (open === 0) return { status: "ok", summary: "no event is set aside" };
  const summary = `${count(open)} events are set aside: npm run ops -- dead-letters tells why`;
  return { status: "failed", summary, details };
}
