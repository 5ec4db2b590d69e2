import { formatMoney, type Micros } from "@heliograph/contracts";
import type { Side, Unjudged, Verdict } from "./judge.ts";

/** So many messages are shown with their decision. */
const mostExamples = 100;
/** Gateways, channels and countries by currency. Gateways that were renamed over and over are the only way to more: what is beyond counts in the totals alone. */
const mostGroups = 2_000;

type Cell = { messages: number; cost: Micros; charge: Micros };
type Pair = { readonly before: Cell; readonly after: Cell };
export const dimensions = ["all", "gateway", "channel", "country"] as const;
type Dimension = (typeof dimensions)[number];

type Group = Pair & {
  readonly dimension: Dimension;
  readonly name: string | null;
  readonly currency: string;
};

/** What a backtest has come to so far. */
export type Sums = {
  /** Every request that was read, also those of other partners than the one that was asked for. */
  seen: number;
  judged: number;
  readonly notJudged: Partial<Record<Unjudged, number>>;
  gatewayChanged: number;
  drawn: number;
  repriced: number;
  notCarried: number;
  costUnknown: number;
  readonly groups: Map<string, Group>;
  readonly examples: object[];
};

export const noSums = (): Sums => ({
  seen: 0,
  judged: 0,
  notJudged: {},
  gatewayChanged: 0,
  drawn: 0,
  repriced: 0,
  notCarried: 0,
  costUnknown: 0,
  groups: new Map(),
  examples: [],
});

/** Adds what one message came to. */
export function add(sums: Sums, verdict: Verdict | Unjudged): void {
  if (typeof verdict === "string") {
    sums.notJudged[verdict] = (sums.notJudged[verdict] ?? 0) + 1;
    return;
  }
  const { before, after, channel, country, currency } = verdict;
  const changed = before.gateway !== after.gateway;
  sums.judged++;
  if (changed) sums.gatewayChanged++;
  if (verdict.drawn) sums.drawn++;
  if (verdict.repriced) sums.repriced++;
  if (after.gateway === null) sums.notCarried++;
  const isKnown = before.cost !== undefined && after.cost !== undefined;
  if (!isKnown) sums.costUnknown++;
  const count = (
    dimension: Dimension,
    name: string | null,
    sides: Partial<Record<"before" | "after", Side>>,
  ): void => {
    const group = groupOf(sums, dimension, name, currency);
    for (const side of ["before", "after"] as const) {
      const given = sides[side];
      if (group === undefined || given === undefined) continue;
      const cell = group[side];
      cell.messages++;
      cell.charge += given.charge;
      // A cost that is known on one side alone would look like a difference.
      if (isKnown) cell.cost += given.cost!;
    }
  };
  count("all", null, { before, after });
  count("channel", channel, { before, after });
  count("country", country === "" ? null : country, { before, after });
  count("gateway", before.gateway, { before });
  count("gateway", after.gateway, { after });
  if ((changed || before.charge !== after.charge) && sums.examples.length < mostExamples)
    sums.examples.push(exampleOf(verdict));
}

function groupOf(
  { groups }: Sums,
  dimension: Dimension,
  name: string | null,
  currency: string,
): Group | undefined {
  const key = JSON.stringify([dimension, name, currency]);
  const known = groups.get(key);
  if (known !== undefined || groups.size >= mostGroups) return known;
  const cell = (): Cell => ({ messages: 0, cost: 0n, charge: 0n });
  const made = { dimension, name, currency, before: cell(), after: cell() };
  groups.set(key, made);
  return made;
}

const sideView = ({ gateway, cost, charge }: Side): object => ({
  gateway,
  cost: cost === undefined ? null : formatMoney(cost),
  charge: formatMoney(charge),
});

/** No recipient and no text of a person: whoever may see those asks for the message. */
const exampleOf = ({
  messageId,
  partner,
  channel,
  country,
  currency,
  before,
  after,
  choice,
}: Verdict): object => ({
  message_id: messageId,
  partner_id: partner,
  channel,
  country: country === "" ? null : country,
  currency,
  before: sideView(before),
  after: sideView(after),
  ...(choice !== undefined && {
    decision: { reason: choice.reason, considered: choice.considered },
  }),
});

const cellView = ({ messages, cost, charge }: Cell): object => ({
  messages,
  cost: formatMoney(cost),
  charge: formatMoney(charge),
});

const groupView = ({ name, currency, before, after }: Group): object => ({
  name,
  currency,
  before: cellView(before),
  after: cellView(after),
  cost_difference: formatMoney(after.cost - before.cost),
  charge_difference: formatMoney(after.charge - before.charge),
});

/** As the API shows it: those with most messages first. */
export function sumsView(sums: Sums): Record<string, unknown> {
  const of = (dimension: Dimension): readonly object[] =>
    [...sums.groups.values()]
      .filter((group) => group.dimension === dimension)
      .toSorted((one, other) => weightOf(other) - weightOf(one))
      .map(groupView);
  return {
    judged: sums.judged,
    not_judged: sums.notJudged,
    gateway_changed: sums.gatewayChanged,
    gateway_drawn: sums.drawn,
    repriced: sums.repriced,
    not_carried: sums.notCarried,
    cost_unknown: sums.costUnknown,
    totals: of("all"),
    by_gateway: of("gateway"),
    by_channel: of("channel"),
    by_country: of("country"),
    examples: sums.examples,
  };
}

const weightOf = ({ before, after }: Pair): number => before.messages + after.messages;

/** The sums as they are kept between two pages. */
export const packSums = ({ groups, ...rest }: Sums): string =>
  JSON.stringify({ ...rest, groups: [...groups] }, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );

/** Reads what `packSums` wrote. */
export function unpackSums(text: string): Sums {
  type Packed = { readonly messages: number; readonly cost: string; readonly charge: string };
  const { groups, ...rest } = JSON.parse(text) as Omit<Sums, "groups"> & {
    readonly groups: readonly [
      string,
      Omit<Group, "before" | "after"> & { readonly before: Packed; readonly after: Packed },
    ][];
  };
  const cell = ({ messages, cost, charge }: Packed): Cell => ({
    messages,
    cost: BigInt(cost),
    charge: BigInt(charge),
  });
  return {
    ...rest,
    groups: new Map(
      groups.map(([key, group]) => [
        key,
        { ...group, before: cell(group.before), after: cell(group.after) },
      ]),
    ),
  };
}
