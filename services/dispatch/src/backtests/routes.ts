import {
  type Answer,
  type Call,
  type Located,
  type Route,
  keyReused,
  listAcross,
  listOf,
  notValid,
  orNone,
  reachable,
  requireReach,
  route,
  timeOf,
} from "@heliograph/api";
import { type Environment, type FieldError, PublicError, isId } from "@heliograph/contracts";
import { formatTime, maxPriceListBytes, repeatedEntries, routingFaults } from "@heliograph/domain";
import { type GatewayConfig, meansOf } from "@heliograph/gateways";
import { positionBefore } from "@heliograph/log";
import type { z } from "zod";
import {
  addBacktest,
  type Backtest,
  backtestJobs,
  listBacktests,
  mostOpen,
  readBacktest,
} from "../tables/backtests.ts";
import type { TestedGateway } from "./judge.ts";
import { wakeBacktests } from "./runner.ts";
import { BacktestsQuery, BacktestSummary, BacktestView, RequestBacktest } from "./schema.ts";
import { noSums, sumsView, unpackSums } from "./sums.ts";

const longestMs = 31 * 86_400_000;

type Requested = z.infer<typeof RequestBacktest>;

/** What of the body cannot be tried, in an environment. */
function faultsOf(call: Call<Requested, unknown>, environment: Environment): readonly FieldError[] {
  const { from, to, partner, routing, prices } = call.body;
  const { directory } = call.context;
  const [fromMs, toMs] = [timeOf(from)!, timeOf(to)!];
  const fault = (path: string, code: string, message: string): FieldError => ({
    path,
    code,
    message,
  });
  const named = (faults: readonly FieldError[], parent: string): readonly FieldError[] =>
    faults.map((each) => ({ ...each, path: `${parent}.${each.path}` }));
  return [
    ...(toMs <= fromMs ? [fault("to", "out_of_range", "must be later than from")] : []),
    ...(toMs - fromMs > longestMs
      ? [fault("to", "out_of_range", "must be at most 31 days after from")]
      : []),
    ...(toMs > Date.now() ? [fault("to", "out_of_range", "must not be ahead")] : []),
    ...(partner !== undefined && directory.partner(partner) === undefined
      ? [fault("partner", "not_found", "there is no such partner")]
      : []),
    ...(routing === undefined && prices === undefined
      ? [fault("routing", "required", "give routing, prices or both")]
      : []),
    ...(routing === undefined
      ? []
      : named(
          routingFaults(routing.rules, directory.gateways(environment), directory, environment),
          "routing",
        )),
    ...(prices === undefined ? [] : named(repeatedEntries(prices.entries), "prices")),
  ];
}

async function request(call: Call<Requested, unknown>): Promise<Answer> {
  const { from, to, partner, routing, prices } = call.body;
  const environment = call.body.environment ?? call.env;
  requireReach(call, environment);
  const faults = faultsOf(call, environment);
  if (faults.length > 0) throw notValid("body", faults);
  const { pool, log } = call.context.environments[environment];
  const [fromMs, toMs] = [timeOf(from)!, timeOf(to)!];
  const by = call.partner.partner_id;
  const reads = log.forPartner(by);
  const print = call.fingerprint && call.deps.vault.name("request", call.fingerprint);
  const window = {
    after: await positionBefore(reads, fromMs),
    to: await positionBefore(reads, toMs),
    fingerprint: print ?? null,
  };
  const stored = await addBacktest(
    pool,
    call.derivedId("bkt"),
    {
      from: formatTime(fromMs),
      to: formatTime(toMs),
      partner,
      by,
      rules: routing?.rules,
      prices,
      gateways: call.context.directory.gateways(environment).map(testedOf),
      senders: call.context.directory.senderRules(environment),
    },
    window,
  );
  if (stored === undefined)
    throw new PublicError("rate_limited", `${mostOpen} backtests of an environment wait at most.`, {
      retryAfterSeconds: 30,
    });
  // The id follows from the key alone. What was asked for before fingerprints were kept has none.
  if (stored.fingerprint !== null && stored.fingerprint !== print) throw keyReused(stored.id);
  wakeBacktests(call, environment);
  return { status: 202, body: summaryOf({ ...stored, environment }) };
}

/** Neither settings nor secrets are kept with a backtest, but for what they say of senders. */
const testedOf = (config: GatewayConfig): TestedGateway => {
  const { gateway_id, name, channel, kind, enabled, partner_id, weight, cost, countries } = config;
  return {
    means: meansOf(config),
    gateway_id,
    name,
    channel,
    kind,
    enabled,
    weight,
    ...(partner_id !== undefined && { partner_id }),
    ...(cost !== undefined && { cost }),
    ...(countries !== undefined && { countries }),
  };
};

function summaryOf(backtest: Backtest & { readonly environment: Environment }): object {
  const { id, environment, after, to, reached, status, complete, error } = backtest;
  const { from_time, to_time, partner, rules, prices, created_at, finished_at } = backtest;
  return {
    id,
    environment,
    status,
    from: from_time,
    to: to_time,
    partner,
    rules,
    prices,
    health: "neutral",
    progress: to > after ? Number(((reached - after) * 1_000n) / (to - after)) / 1_000 : 1,
    complete,
    error,
    created_at: created_at.toISOString(),
    finished_at: finished_at?.toISOString() ?? null,
  };
}

/** The backtest of the path, in whichever environment the key reaches it. */
async function find(call: Call<unknown, unknown>): Promise<Located<Backtest & { time: string }>> {
  const id = call.params["id"]!;
  if (isId("bkt", id))
    for (const environment of reachable(call)) {
      const { pool } = call.context.environments[environment];
      const [found] = await orNone(readBacktest(pool, id).then((row) => (row ? [row] : [])));
      if (found !== undefined)
        return { ...found, environment, time: found.created_at.toISOString() };
    }
  throw new PublicError("not_found", "There is no such backtest.");
}

const shown = (found: Backtest & { readonly environment: Environment }): object => ({
  ...summaryOf(found),
  result: sumsView(found.sums === null ? noSums() : unpackSums(found.sums)),
});

const show = async (call: Call<undefined, undefined>): Promise<Answer> => ({
  status: 200,
  body: shown(await find(call)),
});

async function cancel(call: Call<undefined, undefined>): Promise<Answer> {
  const { id, environment } = await find(call);
  const canceled = await backtestJobs.cancel(call.context.environments[environment].pool, id);
  const now = await find(call);
  if (!canceled && now.status !== "canceled")
    throw new PublicError("conflict", `The backtest has ended: it is ${now.status}.`);
  return { status: 200, body: shown(now) };
}

async function list(call: Call<undefined, z.infer<typeof BacktestsQuery>>): Promise<Answer> {
  const read = async (
    environment: Environment,
    range: { readonly limit: number; readonly before?: string },
  ) => {
    const rows = await listBacktests(call.context.environments[environment].pool, range);
    return rows.map((row) => ({ ...row, time: row.created_at.toISOString() }));
  };
  return { status: 200, body: await listAcross(call, "backtests", read, summaryOf) };
}

export const backtestRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/backtests",
    scope: "admin",
    summary: "Try routing rules or prices on messages of the past; sends and appends nothing",
    mutates: true,
    status: 202,
    body: RequestBacktest,
    maxBodyBytes: maxPriceListBytes,
    response: BacktestSummary,
    errors: ["invalid_request", "malformed_json", "not_found", "rate_limited"],
    handler: request,
  }),
  route({
    method: "GET",
    path: "/backtests",
    scope: "admin",
    summary: "List backtests, newest first",
    query: BacktestsQuery,
    response: listOf(BacktestSummary, "BacktestList"),
    errors: ["invalid_request", "not_found"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/backtests/:id",
    scope: "admin",
    summary: "Progress and result of a backtest",
    etag: true,
    response: BacktestView,
    errors: ["not_found"],
    handler: show,
  }),
  route({
    method: "POST",
    path: "/backtests/:id/cancel",
    scope: "admin",
    summary: "End a backtest that has not ended; what it came to so far stays",
    mutates: true,
    response: BacktestView,
    errors: ["not_found", "conflict"],
    handler: cancel,
  }),
];
