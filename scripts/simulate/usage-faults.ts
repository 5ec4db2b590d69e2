import { type Hold, moneyOf, readSketch, statuses } from "@heliograph/domain";
import { type Counted, bruteForce } from "../../services/usage/test/brute-force.ts";
import type { StoredRow } from "../../services/usage/test/sim-tables.ts";
import { kinds } from "../../services/usage/src/rows.ts";
import { partner, type Platform } from "./platform.ts";

const hourMs = 3_600_000;
type Group = "hour" | "day" | "status" | "gateway" | "channel" | "country";

/** What is asked of the rows: of which length of time, of which kinds, by what. */
const questions: readonly {
  readonly grain: "hours" | "days";
  readonly of: readonly number[];
  readonly by: readonly Group[];
}[] = [
  { grain: "hours", of: [kinds.narrow], by: ["hour", "status", "gateway"] },
  { grain: "days", of: [kinds.untagged, kinds.tagged], by: ["day", "channel", "country"] },
];

const named = ({ grain, at, ...key }: StoredRow["key"], group: Group): string | null => {
  const iso = (): string => new Date(at * (grain === "hours" ? 1 : 24) * hourMs).toISOString();
  switch (group) {
    case "hour":
      return iso();
    case "day":
      return iso().slice(0, "2026-01-01".length);
    case "status":
      return statuses[key.status]!;
    default:
      return key[group] === "" ? null : key[group];
  }
};

const timesIn = (sketch: Buffer): number =>
  [...readSketch(sketch).values()].reduce((sum, times) => sum + times, 0);

/** What does not hold of usage, at rest: it is the count over the log, and costs what the wallet took. */
export async function faultsOfUsage(
  { sim, usage }: Platform,
  holds: ReadonlyMap<string, Hold>,
): Promise<readonly string[]> {
  if (usage === undefined) return [];
  const faults = [...usage.tables.faults];
  const rows = [...usage.tables.rows.values()];
  for (const { grain, of, by } of questions) {
    const told = new Map<string, number[]>();
    for (const { key, ...row } of rows) {
      if (key.grain !== grain || !of.includes(key.kind)) continue;
      const name = JSON.stringify([...by.map((group) => named({ ...key }, group)), key.currency]);
      const own = [row.messages, row.segments, timesIn(row.to_sent), timesIn(row.to_delivered)];
      told.set(
        name,
        own.map((number, at) => number + (told.get(name)?.[at] ?? 0)),
      );
    }
    const counted = await bruteForce(sim.log, partner, by);
    for (const name of new Set([...told.keys(), ...counted.keys()])) {
      const [is, shouldBe] = [told.get(name)?.join(" "), shownOf(counted.get(name))];
      if (is !== shouldBe) faults.push(`usage of ${name} is ${is} and not ${shouldBe}`);
    }
  }
  let taken = 0n;
  for (const { status, amount } of holds.values())
    if (status === "captured" || status === "kept") taken += moneyOf(amount)!;
  const cost = rows
    .filter(({ key }) => key.grain === "days" && key.kind === kinds.narrow)
    .reduce((sum, row) => sum + row.cost, 0n);
  if (cost !== taken) faults.push(`usage costs ${cost}, and ${taken} was charged`);
  return faults;
}

const shownOf = (counted: Counted | undefined): string | undefined =>
  counted &&
  [counted.accepted, counted.segments, counted.toSent.length, counted.toDelivered.length].join(" ");
