import { writeCell } from "@heliograph/api";
import { channels, formatMoney } from "@heliograph/contracts";
import { formatTime, percentileOf, relativeError, type Sketch, statuses } from "@heliograph/domain";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { type Group, type UsageRow, countNames } from "../tables/usage.ts";

const hourMs = 3_600_000;
const cells = { record_delimiter: "windows", header: true, bom: true } as const;

const percentile = (share: string) =>
  z
    .number()
    .nullable()
    .meta({ description: `${share} took at most as long; null: there is none.`, example: 136 });
const Latency = z
  .object({ p50: percentile("Half of them"), p95: percentile("95 of 100") })
  .meta({ description: "Percentiles over all messages of the row." });
const counted = (description: string, example: number) => z.int().meta({ description, example });
const Row = z
  .object({
    day: z.string().optional().meta({ description: "The day, UTC.", example: "2026-05-23" }),
    hour: z
      .string()
      .optional()
      .meta({ description: "The start of the hour, UTC.", example: "2026-05-23T14:00:00.000Z" }),
    channel: z.enum(channels).optional(),
    country: z
      .string()
      .nullable()
      .optional()
      .meta({ description: "ISO 3166-1; null where an address has none.", example: "US" }),
    status: z.enum(statuses).optional(),
    gateway: z.string().nullable().optional().meta({
      description: "The one that took the messages; null: none has.",
      example: "gtw_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    }),
    template: z.string().nullable().optional().meta({
      description:
        "The slug; null: without. `(other)` sums what came when a day had 100 templates.",
      example: "order_confirmation",
    }),
    tag: z.string().nullable().optional().meta({
      description:
        "null: without tags. `(other)` sums what came when a day had 200 tags. A message is in the row of each of its tags: never add these rows.",
      example: "spring-sale",
    }),
    currency: z.string(),
    accepted: counted("How many were accepted.", 1_200),
    sent: counted("How many a provider took, whatever came of it.", 1_188),
    delivered: counted("How many arrived, read ones among them.", 1_140),
    read: counted("How many were opened.", 310),
    failed: counted("How many failed for good.", 31),
    bounced: counted("How many came back for good.", 4),
    expired: counted("How many nobody took before their validity ended.", 2),
    rejected: counted("How many the platform refused after accepting them.", 10),
    canceled: counted("How many were canceled.", 1),
    segments: counted("Segments of all that were accepted.", 1_460),
    cost: z.string().meta({
      description: "What was taken for them and not given back, decimal text.",
      example: "11.289",
    }),
    latency_ms: z.object({ accepted_to_sent: Latency, sent_to_delivered: Latency }).meta({
      description: `How long it took, in milliseconds, at most ${relativeError * 100} % off.`,
    }),
  })
  .meta({ id: "UsageRow" });

export const Usage = z
  .object({
    data: z.array(Row),
    from: z
      .string()
      .meta({ description: "The first hour, UTC.", example: "2026-05-01T00:00:00.000Z" }),
    to: z
      .string()
      .meta({ description: "The end of the last hour, UTC.", example: "2026-06-01T00:00:00.000Z" }),
    as_of_position: z.string(),
    next_cursor: z.string().nullable(),
    next_after: z
      .string()
      .nullable()
      .meta({ description: "The same as `next_cursor`.", examples: [null] }),
  })
  .meta({ id: "Usage" });

function shownGroup(group: Group, value: string | number): string | null {
  switch (group) {
    case "day":
      return formatTime(Number(value) * 24 * hourMs).slice(0, 10);
    case "hour":
      return formatTime(Number(value) * hourMs);
    case "status":
      return statuses[Number(value)]!;
    default:
      return value === "" ? null : String(value);
  }
}
const shownGroups = (groups: readonly Group[], row: UsageRow) =>
  groups.map((group, index) => [group, shownGroup(group, row.groups[index]!)] as const);

const latency = (sketch: Sketch) => ({
  p50: percentileOf(sketch, 0.5) ?? null,
  p95: percentileOf(sketch, 0.95) ?? null,
});

export const viewOf = (groups: readonly Group[], row: UsageRow): z.infer<typeof Row> => ({
  ...(Object.fromEntries(shownGroups(groups, row)) as { currency: string }),
  ...row.counts,
  cost: formatMoney(row.costMicros),
  latency_ms: {
    accepted_to_sent: latency(row.toSent),
    sent_to_delivered: latency(row.toDelivered),
  },
});

/** The same rows as a file. Names are neutralised, numbers are numbers. */
export function csvOf(groups: readonly Group[], rows: readonly UsageRow[]): string {
  const header = [
    ...groups,
    ...countNames,
    "cost",
    "accepted_to_sent_p50_ms",
    "accepted_to_sent_p95_ms",
    "sent_to_delivered_p50_ms",
    "sent_to_delivered_p95_ms",
  ];
  const lines = rows.map((row) => {
    const {
      latency_ms: { accepted_to_sent: toSent, sent_to_delivered: toDelivered },
      cost,
    } = viewOf(groups, row);
    return [
      ...shownGroups(groups, row).map(([, value]) => writeCell(value ?? "")),
      ...countNames.map((name) => row.counts[name]),
      cost,
      toSent.p50,
      toSent.p95,
      toDelivered.p50,
      toDelivered.p95,
    ];
  });
  return stringify(lines, { ...cells, columns: header });
}
