import { type Environment, uuid5 } from "@heliograph/contracts";
import type { EventLog, Seal } from "@heliograph/log";
import type { NewRow } from "../tables/audit.ts";
import type { StoredRow } from "./chain.ts";

/** The action of a row that says what the hash chain of a log had come to: what the audit reads from that log is held fast by the audit's own chain. */
const sealedAction = "LogSealed";
const done = 200;

export type AuditedLog = {
  /** Of the source, and the target of the rows that say what it came to. */
  readonly name: string;
  readonly namespace: Environment | "platform";
  readonly log: EventLog;
};

/** The logs from which an environment's audit is read: its own first. What is of no environment is changed with a live key, and stands there. */
export function logsOf(
  environment: Environment,
  log: EventLog,
  platformLog: EventLog,
): readonly [AuditedLog, ...AuditedLog[]] {
  const own = { name: `${environment}-log`, namespace: environment, log };
  const platform = { name: "platform-log", namespace: "platform", log: platformLog } as const;
  return environment === "live" ? [own, platform] : [own];
}

/** The row of a seal; the same whoever writes it. */
export const sealedRow = (
  environment: Environment,
  name: string,
  { position, hash }: Seal,
): NewRow => ({
  entry: uuid5("log-sealed", name, String(position), hash),
  at: Date.now(),
  environment,
  partner: "",
  actor: "service:control",
  action: sealedAction,
  target: name,
  requestId: "",
  ip: "",
  outcome: done,
  count: 1,
  changes: { events: [], before: null, after: { position: String(position), hash } },
});

/** What the rows of an audit say of logs: of each day the last, since what a chain came to holds fast all before it. */
export class KnownSeals {
  readonly #ofDays = new Map<string, Map<string, Seal>>();

  take({ action, target, day, changes }: StoredRow): void {
    if (action !== sealedAction || changes === null) return;
    const { after } = JSON.parse(changes) as { after: { position: string; hash: string } };
    const seal = { position: BigInt(after.position), hash: after.hash };
    const days = this.#ofDays.get(target) ?? new Map<string, Seal>();
    this.#ofDays.set(target, days);
    // Several processes write them, each when it likes.
    if (seal.position > (days.get(day)?.position ?? 0n)) days.set(day, seal);
  }

  /** By their positions. */
  of(name: string): readonly Seal[] {
    return [...(this.#ofDays.get(name)?.values() ?? [])].toSorted((one, other) =>
      one.position < other.position ? -1 : 1,
    );
  }
}
