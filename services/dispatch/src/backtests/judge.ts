import { hash } from "node:crypto";
import { channelModule } from "@heliograph/channels";
import { type GatewayChoice, type Micros, parseMoney, readEventFlaw } from "@heliograph/contracts";
import {
  costOf,
  foldMessage,
  priceFor,
  type MessageState,
  type PriceList,
  type SenderRule,
} from "@heliograph/domain";
import type { GatewayConfig, Means } from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import type { RoutingRules } from "@heliograph/runtime";
import { erasedText } from "@heliograph/vault";
import { type Candidate, choose } from "../choose.ts";
import { explained, withRoom } from "../explained.ts";
import {
  type ChannelRules,
  type Routable,
  routedAs,
  routeOf,
  rulesByChannel,
  takenThere,
} from "../routing.ts";
import { evolve, type Requested, type State } from "../state.ts";

/** What a backtest knows of a gateway: nothing that is secret. */
export type TestedGateway = Routable &
  Pick<GatewayConfig, "name" | "channel" | "enabled" | "weight" | "cost"> & {
    /** Absent in what was asked for before senders were held against it. */
    readonly means?: Means;
  };
/** Nothing is held against these. */
const noMeans: Means = { ownSender: undefined, bringsAnswers: true, languages: [] };

/** The rules that are tried, and the gateways as they were when it was asked for. */
export type Candidates = {
  readonly rules: RoutingRules | undefined;
  /** `list`: only what that list priced is priced anew. */
  readonly prices:
    | (Pick<PriceList, "currency" | "entries"> & { readonly list?: string | undefined })
    | undefined;
  readonly gateways: readonly TestedGateway[];
  /** What countries took as senders then; absent in what was asked for before they were held against it. */
  readonly senders?: readonly SenderRule[] | undefined;
};

/** Why a message says nothing about the rules. */
export const unjudged = [
  "recipient_erased",
  "recipient_unreadable",
  "unreadable",
  "under_way",
  "never_sent",
  "no_price",
  "too_large",
] as const;
export type Unjudged = (typeof unjudged)[number];

export type Side = {
  /** Its name; null: none carries it. */
  readonly gateway: string | null;
  /** What the provider takes; undefined where that is not known. */
  readonly cost: Micros | undefined;
  /** What the partner pays. */
  readonly charge: Micros;
};
export type Verdict = {
  readonly messageId: string;
  readonly partner: string;
  readonly channel: string;
  readonly country: string;
  readonly currency: string;
  readonly before: Side;
  readonly after: Side;
  /** How the gateway of `after` was taken; undefined where no routing is tried. */
  readonly choice: Required<GatewayChoice> | undefined;
  /** The gateway that had it might have been drawn as well. */
  readonly drawn: boolean;
  readonly repriced: boolean;
};

/** A message of the window as its stream tells it. */
export type Sent = {
  readonly state: MessageState;
  /** The one that took it; of a message with further steps, the step that counts. */
  readonly gateway: string;
  /** The gateways that had failed it, or that step, when one took it. */
  readonly failed: readonly string[];
};

/** Folds a message's stream. Gives why it cannot be judged where no provider took it, or took the step that counts. */
export function sentOf(events: readonly RecordedEvent[]): Sent | Unjudged {
  if (events.some((event) => readEventFlaw(event) !== undefined)) return "unreadable";
  const state = foldMessage(events);
  if (state === undefined) return "never_sent";
  const { failover, status } = state;
  const taken =
    failover === undefined ? state.provider : failover.steps[failover.step]!.taken.at(-1);
  if (taken === undefined) {
    const goesOn =
      failover === undefined ? status === "scheduled" || status === "queued" : !failover.over;
    return goesOn ? "under_way" : "never_sent";
  }
  return { state, gateway: taken.gateway, failed: failedBefore(events, failover?.step ?? 0) };
}

/** The gateways that had failed a step when one took it last. */
function failedBefore(events: readonly RecordedEvent[], step: number): readonly string[] {
  let folded: State | undefined;
  let failed: readonly string[] = [];
  for (const event of events) {
    const { type, data } = event;
    const current = folded?.failover?.step ?? 0;
    // What is heard late of an earlier step comes when those that failed it are not known any more.
    if (type === "MessageSent" && (data.step ?? 0) === step)
      failed = current === step ? (folded?.failed ?? []) : [];
    if (type === "MessageResent" && current === step) failed = folded?.failed ?? [];
    folded = evolve(folded, event);
  }
  return failed;
}

/** A number from [0, 1) for the draw by weight: the same for a message in every backtest. */
const drawOf = (messageId: string): number =>
  Number.parseInt(hash("sha256", messageId, "hex").slice(0, 8), 16) / 2 ** 32;

type Tried = Candidate & { readonly config: TestedGateway };

/**
 * Judges messages by the candidates: where each would have gone, by the functions that dispatch and `POST /routing/explain` choose with, and what it would have cost, by the one that
 * prices a send. Every gateway is taken as healthy and with room, but for those that failed the very message before one took it; what became of the message is as it was.
 */
export function createJudge(candidates: Candidates) {
  const { rules, prices, gateways, senders = [] } = candidates;
  const tried = gateways.filter(({ enabled }) => enabled).map((config) => withRoom(config));
  const byChannel = Map.groupBy(tried, ({ config }) => config.channel as string);
  const costs = new Map(gateways.map(({ name, cost }) => [name, cost]));
  const own = rules && rulesByChannel(rules, gateways);
  const list: PriceList | undefined = prices && {
    ...prices,
    list: prices.list ?? "candidate",
    version: 1,
    published_at: "",
  };

  const providerCost = (gateway: string | null, segments: number): Micros | undefined => {
    if (gateway === null) return 0n;
    const each = parseMoney(costs.get(gateway) ?? "");
    return each === undefined ? undefined : each * BigInt(segments);
  };

  /** `to`: the recipient, readable. Throws where its events are damaged in what no schema says. */
  return (sent: Sent, to: string): Verdict | Unjudged => {
    const { state, gateway: had } = sent;
    const { request, partner } = state;
    if (to === erasedText) return "recipient_erased";
    const recipient = channelModule(request.channel).recipient(to);
    if (recipient.kind === "fault") return "recipient_unreadable";
    const { count } = request.segments;
    const price = parseMoney(request.cost);
    const paid = parseMoney(costOf(state));
    if (price === undefined || paid === undefined) return "unreadable";
    const fresh = freshPrice(list, prices?.list, request, recipient.value.digits);
    if (fresh === "no_price") return fresh;
    const routed = own && routedBy(own, byChannel.get(request.channel) ?? [], senders, sent, to);
    const gateway = routed === undefined ? had : routed.choice.gateway;
    const isPaid = gateway !== null && (state.charged || state.charge !== undefined);
    // One that failed may cost the price of another of its steps, which stays as it was.
    const charge = paid === price ? (fresh ?? price) : paid;
    return {
      messageId: state.id,
      partner,
      channel: request.channel,
      country: request.price.country,
      currency: request.currency,
      before: { gateway: had, cost: providerCost(had, count), charge: paid },
      after: {
        gateway,
        cost: providerCost(gateway, count),
        charge: isPaid ? charge : 0n,
      },
      choice: routed?.choice,
      drawn: gateway !== had && (routed?.mayDraw(had) ?? false),
      repriced: fresh !== undefined,
    };
  };
}

/** The price by the candidate list; undefined where it is not for the message. */
function freshPrice(
  list: PriceList | undefined,
  only: string | undefined,
  request: Requested,
  digits: string,
): Micros | "no_price" | undefined {
  if (list === undefined || list.currency !== request.currency) return undefined;
  if (only !== undefined && only !== request.price.list) return undefined;
  const { channel, category, segments } = request;
  const { country } = request.price;
  const asked = { channel, digits, country, segments: segments.count, category };
  return priceFor(list, asked)?.micros ?? "no_price";
}

function routedBy(
  rules: ChannelRules,
  ofChannel: readonly Tried[],
  senders: readonly SenderRule[],
  { state, failed }: Sent,
  to: string,
) {
  const message = routedAs(state.request, to, state.partner);
  const route = routeOf(rules, ofChannel, message);
  const found = takenThere(route, message, senders, ({ means = noMeans }) => means);
  const choice = explained(found, choose(found, failed, drawOf(state.id)));
  return {
    choice,
    mayDraw: (gateway: string): boolean =>
      found.policy === "weighted" &&
      found.candidates.some(({ name, weight }) => name === gateway && weight > 0),
  };
}
