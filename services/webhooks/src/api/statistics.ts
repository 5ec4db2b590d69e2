import { addTo, formatTime, percentileOf, relativeError, type Sketch } from "@heliograph/domain";
import { type Answer, type Call, type Route, route } from "@heliograph/api";
import { z } from "zod";
import { hourOf } from "../tally.ts";
import {
  attemptOutcomes,
  keptHours,
  readHours,
  readWaiting,
  type HourCounts,
  type Waiting,
} from "../tables/statistics.ts";
import { findEndpoint } from "./endpoint.ts";

const hourMs = 3_600_000;
const windows = { "1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24 } as const;
type WindowName = keyof typeof windows;
const windowNames = Object.keys(windows) as [WindowName];
/** More are not counted: somebody waits for the answer. */
const mostWaiting = 100_000;

const percentile = (share: string) =>
  z
    .number()
    .nullable()
    .meta({ description: `${share} took at most as long; null: there is none.` });
const EndpointStatistics = z
  .object({
    endpoint_id: z.string(),
    windows: z
      .array(
        z.object({
          window: z.enum(windowNames),
          from: z.string().meta({
            description:
              "Counted are whole hours (UTC) and the one that is: the window begins here.",
          }),
          attempts: z.int().meta({ description: "Retries and replays among them." }),
          delivered: z.int().meta({ description: "Attempts that were answered 2xx." }),
          success_rate: z.number().nullable().meta({
            description: "`delivered` of `attempts`, 0 to 1; null without attempts.",
          }),
          duration_ms: z
            .object({ p50: percentile("Half of them"), p95: percentile("95 of 100") })
            .meta({
              description: `How long attempts took, failed ones too, at most ${relativeError * 100} % off.`,
            }),
          errors: z.record(z.string(), z.int()).meta({
            description: `How many attempts failed, by what they failed with: ${attemptOutcomes.slice(1).join(", ")}. More may be added.`,
          }),
        }),
      )
      .meta({ description: "The last hour, day, week and 30 days." }),
    waiting: z
      .object({
        count: z.int().meta({ description: `${mostWaiting} stands for as many and more.` }),
        oldest_at: z
          .string()
          .nullable()
          .meta({ description: "When the event of the oldest was recorded." }),
        next_attempt_at: z.string().nullable(),
      })
      .meta({ description: "Deliveries that are pending for longer than a second." }),
  })
  .meta({ id: "WebhookStatistics" });

const rounded = (rate: number): number => Math.round(rate * 10_000) / 10_000;

/** What hours say together, of those from one on. */
function windowOf(name: WindowName, hours: readonly HourCounts[], now: number): object {
  const from = hourOf(now - windows[name] * hourMs);
  const outcomes: Sketch = new Map();
  const durations: Sketch = new Map();
  for (const each of hours) {
    if (each.hour < from) continue;
    for (const [outcome, count] of each.outcomes) addTo(outcomes, outcome, count);
    for (const [bucket, count] of each.durations) addTo(durations, bucket, count);
  }
  const counted = attemptOutcomes.map((outcome, at) => [outcome, outcomes.get(at) ?? 0] as const);
  const attempts = counted.reduce((sum, [, count]) => sum + count, 0);
  const delivered = outcomes.get(attemptOutcomes.indexOf("delivered")) ?? 0;
  return {
    window: name,
    from: formatTime(from * hourMs),
    attempts,
    delivered,
    success_rate: attempts === 0 ? null : rounded(delivered / attempts),
    duration_ms: {
      p50: percentileOf(durations, 0.5) ?? null,
      p95: percentileOf(durations, 0.95) ?? null,
    },
    errors: Object.fromEntries(
      counted.filter(([outcome, count]) => outcome !== "delivered" && count > 0),
    ),
  };
}

const timeOrNull = (at: number | null): string | null => (at === null ? null : formatTime(at));

/** What an endpoint's hours and what waits for it look like; `now` in epoch ms. */
export const statisticsView = (
  endpointId: string,
  hours: readonly HourCounts[],
  waiting: Waiting,
  now: number,
): object => ({
  endpoint_id: endpointId,
  windows: windowNames.map((name) => windowOf(name, hours, now)),
  waiting: {
    count: waiting.count,
    oldest_at: timeOrNull(waiting.oldest),
    next_attempt_at: timeOrNull(waiting.next),
  },
});

async function get(call: Call): Promise<Answer> {
  const { endpoint } = await findEndpoint(call, call.params["id"]!);
  const { projectionPool } = call.deps;
  const now = Date.now();
  const [hours, waiting] = await Promise.all([
    readHours(projectionPool, endpoint.id, hourOf(now) - keptHours),
    readWaiting(projectionPool, endpoint.id, mostWaiting),
  ]);
  return { status: 200, body: statisticsView(endpoint.id, hours, waiting, now) };
}

export const webhookStatisticsRoute: Route = route({
  method: "GET",
  path: "/webhook-endpoints/:id/statistics",
  scope: "webhooks:read",
  summary:
    "Get how an endpoint answers: success, duration and errors over fixed windows, and what waits",
  projection: "webhooks",
  response: EndpointStatistics,
  errors: ["not_found"],
  handler: get,
});
