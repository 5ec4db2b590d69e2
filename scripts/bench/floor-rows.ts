import { limitRow, type Row } from "./row.ts";

export const lowRates = [10, 50, 200] as const;
export type Pace = (typeof lowRates)[number] | "saturated" | "half";

/** What the windows of one pace came to. Times in milliseconds, one for each message. */
export type Spent = {
  messages: number;
  seconds: number;
  cpuMs: number;
  /** Transactions, those that only read among them; those of them that wrote; and flushes of the write-ahead log. */
  transactions: number;
  commits: number;
  fsyncs: number;
  readonly toSent: number[];
  readonly toWebhook: number[];
};
export type Ledger = Map<Pace, Spent>;

const paces: readonly Pace[] = ["saturated", "half", ...lowRates.toReversed()];
/** CPU a message at a pace, against the product's own cost when it is saturated. */
const mostOfSaturated: Partial<Record<Pace, number>> = { half: 1.25, 200: 2, 50: 4 };
const mostOfFloor = 1.25;
const mostCommits: Partial<Record<Pace, number>> = { 50: 6 };
/** p50 and p99, ms. */
const mostToSent: Partial<Record<Pace, readonly [number, number]>> = { half: [6, 30], 50: [3, 10] };
const mostToWebhook: Partial<Record<Pace, readonly [number, number]>> = {
  half: [10, 40],
  50: [4, 12],
};

/** The table of `bench -- floor`: each figure of the product beside the bare prototype's. */
export function floorRows(product: Ledger, bare: Ledger): Row[] {
  const own = each(product.get("saturated")!).cpu;
  return paces.flatMap((pace) => rowsOf(pace, product.get(pace)!, bare.get(pace)!, own));
}

function rowsOf(pace: Pace, product: Spent, bare: Spent, ownSaturated: number): Row[] {
  const name = `floor, ${typeof pace === "number" ? `${pace}/s` : pace}`;
  const [mine, floor] = [each(product), each(bare)];
  const rate = `${Math.round(product.messages / product.seconds)} messages/s, bare ${Math.round(bare.messages / bare.seconds)}`;
  const limit = mostOfSaturated[pace];
  const rows = [
    against(
      `${name}: CPU a message`,
      "ms",
      mine.cpu,
      floor.cpu,
      pace === "saturated" ? mostOfFloor : undefined,
      rate,
    ),
    against(
      `${name}: commits that write`,
      "a message",
      mine.commits,
      floor.commits,
      undefined,
      `fsyncs ${mine.fsyncs}, bare ${floor.fsyncs}`,
      mostCommits[pace],
    ),
    limitRow(
      `${name}: transactions`,
      "a message",
      mine.transactions,
      undefined,
      `bare ${floor.transactions}`,
    ),
    ...times(`${name}: accept → MessageSent`, product.toSent, bare.toSent, mostToSent[pace]),
    ...times(`${name}: 202 → webhook`, product.toWebhook, bare.toWebhook, mostToWebhook[pace]),
  ];
  if (limit !== undefined)
    rows.splice(
      1,
      0,
      limitRow(`${name}: CPU against saturated`, "×", round(mine.cpu / ownSaturated), limit, ""),
    );
  return rows;
}

const each = ({ messages, cpuMs, commits, fsyncs, transactions }: Spent) => ({
  cpu: round(cpuMs / messages),
  commits: round(commits / messages),
  fsyncs: round(fsyncs / messages),
  transactions: round(transactions / messages),
});

/** A figure beside the floor's: judged by the most it may be of it, or by a limit of its own, or not at all. */
function against(
  figure: string,
  unit: string,
  value: number,
  floor: number,
  mostRatio: number | undefined,
  note: string,
  atMost?: number,
): Row {
  const ratio = round(value / floor);
  return {
    ...limitRow(figure, unit, round(value), atMost, note),
    baseline: round(floor),
    ratio,
    ...(mostRatio !== undefined && {
      goal: `≤ ${mostRatio} × the bare prototype`,
      met: ratio <= mostRatio,
    }),
  };
}

function times(
  figure: string,
  product: readonly number[],
  bare: readonly number[],
  most: readonly [number, number] | undefined,
): Row[] {
  return ([0.5, 0.99] as const).map((share, index) =>
    limitRow(
      `${figure} p${share * 100}`,
      "ms",
      quantile(product, share),
      most?.[index],
      `bare ${quantile(bare, share)}`,
    ),
  );
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000;
