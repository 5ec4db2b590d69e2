import { environments } from "@heliograph/contracts";
import type { CopySource, Position } from "@heliograph/log";
import type { Namespace } from "@heliograph/runtime";
import { sayTable } from "../../shared/table.ts";
import { endsOf } from "../copy-ends.ts";
import type { Target } from "../target.ts";
import { comparePartner, eventsOf, type Sums } from "./compare.ts";
import { say } from "./say.ts";

const namespaces: readonly Namespace[] = ["platform", ...environments];
/** More of what is missing is counted and not shown. */
const mostShown = 20;
/** What a machine under load reads and compares in a second, of both logs at a time; alone it is several times that. */
const positionsPerSecond = 30_000;

/** A partner, where it is, and the copy that it moves to. */
export type Pair = {
  readonly target: Target;
  readonly copy: string;
  readonly partner: string;
  readonly signal: AbortSignal;
};
/** Of a log of this installation: up to where it is compared, and the partner's last event, of all and of those before it was closed. */
type Read = Record<"head" | "last" | "closed", Position>;
export type Whole = ReadonlyMap<Namespace, Read>;
/** When the partner was closed, epoch ms, and where in the platform log it has left, if it has. */
export type Closing = { readonly closedAt: number; readonly left: Position | undefined };

/**
 * Compares what both have of the partner, and shows it; of the platform log only up to where the partner has left. Undefined where the copy has not all of it. Throws CopyRefused while a process
 * uses the copy.
 */
export async function compareWhole(
  { target, copy, partner, signal }: Pair,
  { closedAt, left }: Closing,
): Promise<Whole | undefined> {
  const { to } = endsOf("postgres", copy, target);
  const rows: string[][] = [];
  const differences: string[] = [];
  const whole = new Map<Namespace, Read>();
  for (const namespace of namespaces)
    await withSource(target, copy, namespace, async (source) => {
      const other = await to.source(namespace, { servicesMayRun: false });
      try {
        const until = namespace === "platform" ? left : undefined;
        sayHowLong(namespace, until ?? (await source.head()));
        const logs = { source, copy: other.log };
        const compared = await comparePartner(logs, partner, { until, closedAt, signal });
        const { head, closed } = compared;
        whole.set(namespace, { head, last: compared.source.last, closed });
        rows.push(...rowsOf(namespace, compared.source, compared.copy));
        if (compared.difference !== undefined)
          differences.push(`${namespace}: ${compared.difference}`);
      } finally {
        await other.close();
      }
    });
  sayTable([["log", "what", "here", "in the copy", "sha256"], ...rows]);
  for (const difference of differences) say(difference);
  return differences.length === 0 ? whole : undefined;
}

/** Shows what this installation has of the partner behind what was compared. Gives in which logs that is, with the heads that were read to. */
export async function tailOf(
  { target, copy, partner, signal }: Pair,
  whole: Whole,
): Promise<{ readonly behind: readonly Namespace[]; readonly whole: Whole }> {
  const behind: Namespace[] = [];
  const read = new Map(whole);
  for (const [namespace, known] of whole)
    await withSource(target, copy, namespace, async (source) => {
      const head = await source.head();
      let count = 0;
      for await (const { type, stream, position } of eventsOf(source, partner, {
        after: known.head,
        head,
        signal,
      }))
        if (count++ < mostShown)
          say(`${namespace}: the copy lacks ${type} of ${stream} at position ${position}`);
      if (count > mostShown) say(`${namespace}: and ${count - mostShown} more`);
      if (count > 0) behind.push(namespace);
      else read.set(namespace, { ...known, head });
    });
  return { behind, whole: read };
}

async function withSource(
  target: Target,
  copy: string,
  namespace: Namespace,
  work: (log: CopySource) => Promise<void>,
): Promise<void> {
  const { from } = endsOf("postgres", copy, target);
  const source = await from.source(namespace, { servicesMayRun: true });
  try {
    await work(source.log);
  } finally {
    await source.close();
  }
}

function sayHowLong(namespace: string, head: Position): void {
  const minutes = Number(head) / positionsPerSecond / 60;
  if (minutes > 1)
    say(`${namespace}: ${head} positions to read in both, about ${Math.ceil(minutes)} minutes`);
}

function rowsOf(namespace: string, source: Sums, copy: Sums): string[][] {
  const categories = new Set([...source.categories.keys(), ...copy.categories.keys()]);
  const wallets = new Set([...source.balances.keys(), ...copy.balances.keys()]);
  const counts = (sum: { readonly streams: number; readonly events: number } | undefined) =>
    `${sum?.events ?? 0} events of ${sum?.streams ?? 0} streams`;
  const money = (sums: Sums, wallet: string): string => {
    const balance = sums.balances.get(wallet);
    return balance === undefined ? "-" : `${balance.available} available, ${balance.held} held`;
  };
  return [
    ...[...categories].map((category) => {
      const [here, there] = [source.categories.get(category), copy.categories.get(category)];
      const same = here?.sha256 === there?.sha256;
      return [namespace, category, counts(here), counts(there), same ? here!.sha256 : "DIFFERS"];
    }),
    ...[...wallets].map((wallet) => {
      return [namespace, wallet, money(source, wallet), money(copy, wallet), ""];
    }),
  ];
}
