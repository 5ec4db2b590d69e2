import {
  type Answer,
  type Call,
  hasScope,
  queryInt,
  readProjections,
  type Route,
  route,
} from "@heliograph/api";
import { environments, streamOf } from "@heliograph/contracts";
import { formatTime, statuses, walletName } from "@heliograph/domain";
import { formatPosition, parsePosition } from "@heliograph/log";
import { z } from "zod";
import { Kept } from "../kept.ts";
import {
  failuresOf,
  latenciesOf,
  lost,
  minutesOf,
  passed,
  readSample,
  type Minute,
} from "../overview.ts";
import { type MinuteCounts, openWindow } from "../tables/overview.ts";

const minuteMs = 60_000;
const defaultMinutes = 60;
const mostMinutes = 1_440;
/** Of each: those that passed, for how long it took, and those that did not, for why. */
const sampled = 100;
/** Whoever looks at it looks all the time: one count every three seconds, however many look. A day's counts are some 300 kB. */
const keeping = { ms: 3_000, most: 100 };

const Query = z.strictObject({
  minutes: queryInt(1, mostMinutes)
    .optional()
    .meta({ description: `The last so many minutes; ${defaultMinutes} when left out.` }),
});

const counted = (description: string, example: number) => z.int().meta({ description, example });
const percentiles = (description: string) =>
  z
    .object({
      measured: counted("Messages that it is taken from.", 100),
      p50: z.number().nullable().meta({ description: "Half took at most as long.", example: 42 }),
      p95: z.number().nullable().meta({ description: "95 of 100 did.", example: 180 }),
      p99: z.number().nullable().meta({ description: "99 of 100 did.", example: 420 }),
    })
    .meta({ description });
const OverviewView = z
  .object({
    environment: z.enum(environments),
    from: z.string().meta({ description: "The first minute, RFC 3339, UTC." }),
    to: z.string().meta({ description: "The end of the last minute, RFC 3339, UTC." }),
    as_of_position: z.string(),
    complete: z.boolean().meta({
      description: "Whether all messages are counted; false: the newest 200000 of them.",
    }),
    throughput: z
      .array(
        z.object({
          minute: z.string().meta({
            description: "Its start, RFC 3339, UTC.",
            example: "2026-05-23T14:22:00.000Z",
          }),
          accepted: counted("Messages accepted in this minute.", 120),
          delivered: counted("Of them, those that have arrived by now.", 112),
          under_way: counted("Of them, those that are not at an end.", 5),
          lost: counted("Of them, those that failed, bounced, expired or were rejected.", 3),
        }),
      )
      .meta({ description: "Each minute, oldest first." }),
    outcomes: z
      .array(z.object({ status: z.enum(statuses), messages: counted("How many.", 112) }))
      .meta({ description: "All of them by what they are now." }),
    failures: z
      .object({
        total: counted("How many were lost.", 3),
        looked_at: counted("The newest of them, of which the reasons are told.", 3),
        by_code: z
          .array(
            z.object({
              code: z.string().meta({ example: "invalid_recipient" }),
              messages: counted("How many.", 2),
            }),
          )
          .meta({ description: "How often each reason stands for what was looked at." }),
      })
      .meta({ description: "Why they were lost, most frequent first." }),
    latency_ms: z
      .object({
        accepted_to_sent: percentiles(
          "From the call, or the time that it named, until a provider took it.",
        ),
        sent_to_delivered: percentiles("From then until it arrived."),
      })
      .meta({ description: `Of the newest ${sampled} messages that a provider took.` }),
    wallet: z
      .object({ available: z.string(), held: z.string(), currency: z.string() })
      .nullable()
      .meta({ description: "null: the key has no scope `wallet:read`." }),
    lag: z
      .object({
        events: z.int().meta({ description: "Of the one that is furthest behind." }),
        ms: z.number().meta({ description: "Of the one that is furthest behind." }),
        projections: z
          .array(
            z.object({
              name: z.string(),
              events: z.int().meta({ description: "Events that it has not read." }),
              ms: z.number().meta({ description: "How long it has been behind." }),
              status: z.string(),
            }),
          )
          .meta({ description: "Each read model by itself." }),
      })
      .meta({ description: "How far behind the log is what you read." }),
  })
  .meta({ id: "Overview" });

/** A balance is in the last event of its wallet. */
async function walletOf(call: Call<unknown, unknown>) {
  if (!hasScope(call.key.scopes, "wallet:read")) return null;
  const { currency } = call.partner;
  const stream = streamOf("wallet", walletName(call.partner));
  const [last] = await call.deps.log.readStream(stream, { backwards: true, limit: 1 });
  const { available, held } = last?.data ?? { available: "0", held: "0" };
  return { available, held, currency };
}

async function lagOf(call: Call<unknown, unknown>) {
  const all = await readProjections(call.env, call.deps);
  const projections = all
    .filter(({ kind }) => kind === "projector")
    .map(({ name, lag_events: events, lag_ms, status }) => ({
      name,
      events,
      ms: Math.round(lag_ms),
      status,
    }));
  const most = (of: "events" | "ms"): number => Math.max(0, ...projections.map((row) => row[of]));
  return { events: most("events"), ms: most("ms"), projections };
}

const outcomesOf = ({ counts }: MinuteCounts) =>
  statuses.flatMap((status) => {
    const messages = counts
      .filter((each) => each.status === status)
      .reduce((sum, each) => sum + each.messages, 0);
    return messages === 0 ? [] : [{ status, messages }];
  });

const minuteView = ({ minute, ...counts }: Minute): object => ({
  minute: formatTime(minute * minuteMs),
  ...counts,
});

/** Up to three looks through the window's messages. */
async function count({ call, fromMs, toMs }: Asked) {
  const { partner_id: partner } = call.partner;
  const { projectionPool, log } = call.deps;
  const window = await openWindow(projectionPool, { partner, fromMs, toMs });
  const sample = async (of: Parameters<typeof window.newest>[0]) =>
    readSample(log, await window.newest(of, sampled));
  const [found, failed, sent] = await Promise.all([window.counts(), sample(lost), sample(passed)]);
  const [first, minutes] = [fromMs / minuteMs, (toMs - fromMs) / minuteMs];
  const throughput = minutesOf(found.counts, first, minutes);
  return {
    asOf: found.asOf,
    body: {
      environment: call.env,
      from: formatTime(fromMs),
      to: formatTime(toMs),
      as_of_position: formatPosition(found.asOf),
      complete: found.complete,
      throughput: throughput.map(minuteView),
      outcomes: outcomesOf(found),
      failures: {
        total: throughput.reduce((sum, row) => sum + row.lost, 0),
        looked_at: failed.length,
        by_code: failuresOf(failed),
      },
      latency_ms: latenciesOf(sent),
    },
  };
}

type Asked = { readonly call: Call; readonly fromMs: number; readonly toMs: number };
type Counts = Kept<Awaited<ReturnType<typeof count>>>;
/** Of each environment: what was counted for its partners. */
const kept = new WeakMap<object, Counts>();

/** The same counts for all that a partner has open, unless somebody asks for newer ones (`Min-Log-Position`). */
function countsOf(asked: Asked) {
  const { call, fromMs, toMs } = asked;
  const counts: Counts = kept.get(call.context.environments[call.env]) ?? new Kept(keeping);
  kept.set(call.context.environments[call.env], counts);
  const wanted = parsePosition(String(call.request.headers["min-log-position"])) ?? 0n;
  return counts.get(
    `${call.partner.partner_id} ${fromMs} ${toMs}`,
    () => count(asked),
    ({ asOf }) => asOf >= wanted,
  );
}

async function overview(call: Call<undefined, z.infer<typeof Query>>): Promise<Answer> {
  const { minutes = defaultMinutes } = call.query;
  const end = Math.floor(call.now() / minuteMs) + 1;
  const [fromMs, toMs] = [(end - minutes) * minuteMs, end * minuteMs];
  const [{ body }, wallet, lag] = await Promise.all([
    countsOf({ call, fromMs, toMs }),
    walletOf(call),
    lagOf(call),
  ]);
  return { status: 200, body: { ...body, wallet, lag } };
}

export const overviewRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/overview",
    scope: "usage:read",
    summary:
      "How your messages do: throughput by the minute, what became of them, why some were lost, how long they took; counted every three seconds at most",
    projection: "messages",
    query: Query,
    response: OverviewView,
    errors: ["invalid_request"],
    handler: overview,
  }),
];
