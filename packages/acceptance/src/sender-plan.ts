import { channelModule } from "@heliograph/channels";
import { type Channel, type EventData, PublicError } from "@heliograph/contracts";
import {
  carries,
  gatewayFault,
  type SenderFault,
  senderFault,
  type SenderPool,
  type SenderRule,
  senderRuleFor,
} from "@heliograph/domain";
import { meansOf } from "@heliograph/gateways";
import { poolFor } from "./sender-choice.ts";

type Requested = EventData<"MessageRequested">;
type Gateways = readonly Pick<
  EventData<"GatewayConfigured">,
  "gateway_id" | "partner_id" | "countries" | "enabled" | "kind" | "settings"
>[];

/** What a message's sender is held against. */
export type SenderSetting = {
  readonly pools: readonly SenderPool[];
  readonly rules: readonly SenderRule[];
  /** Of the channel. */
  readonly gateways: Gateways;
  readonly partner: string;
};
type Asked = {
  readonly channel: Channel;
  readonly from?: string | undefined;
  readonly sender_pool?: string | undefined;
};
/** A sender, or the senders of a pool of which the recipient has one. */
export type SenderPlan =
  | { readonly type: "sender"; readonly fields: Pick<Requested, "from" | "sender_rule"> }
  | {
      readonly type: "pool";
      readonly pool: SenderPool;
      readonly usable: readonly string[];
      readonly preferred: string | undefined;
    };

/**
 * Whose a message is for the recipient's country: its own sender, one of a pool, that of the rule, or, with no field at all, the gateway's. Throws `sender_not_allowed` for what no gateway could
 * send it by, and `invalid_request` for a pool that is not there.
 */
export function planSender(
  { pools, rules, gateways, partner }: SenderSetting,
  asked: Asked,
  { to, country }: { readonly to: string; readonly country: string },
): SenderPlan {
  // Of most messages nothing is to be found out.
  if (pools.length === 0 && rules.length === 0 && asked.sender_pool === undefined) return asAsked;
  const from = asked.from === undefined ? undefined : readFrom(asked.channel, asked.from);
  const pool = poolFor(pools, { ...asked, from }, gateways, partner, country);
  const rule = senderRuleFor(rules, asked.channel, to);
  if (pool !== undefined) return planPool(pool, rule, from);
  if (rule === undefined) return { type: "sender", fields: from === undefined ? {} : { from } };
  const { country_prefix } = rule;
  if (from === undefined && rule.default !== undefined) {
    const reason = `it names none: the default of +${country_prefix}`;
    return {
      type: "sender",
      fields: { from: rule.default, sender_rule: { country_prefix, reason } },
    };
  }
  const wrong = from === undefined ? undefined : senderFault(rule, from);
  const sent = wrong !== undefined && rule.replacement !== undefined ? rule.replacement : from;
  if (wrong !== undefined && sent === from) throw refused(rule, wrong, "from");
  // Switched on or not: one that is off for a while may have it when it is back.
  const own = gateways.filter((gateway) => carries(gateway, partner, country));
  const faults = own.map((gateway) => gatewayFault(rule, sent, meansOf(gateway)));
  const [first] = faults;
  if (first !== undefined && faults.every((fault) => fault !== undefined))
    throw refused(rule, first, "from");
  if (wrong === undefined) return { type: "sender", fields: from === undefined ? {} : { from } };
  const sender_rule = { country_prefix, replaced: from!, reason: wrong.message };
  return { type: "sender", fields: { from: rule.replacement!, sender_rule } };
}

/**
 * The languages whose national tables every gateway sends that may carry a message: it is counted with them before anybody knows which one takes it, or takes it after another. Where one does not
 * send them, it goes without them by all.
 */
export function languagesOfAll(
  gateways: Gateways,
  channel: Channel,
  partner: string,
  country: string,
): readonly number[] {
  if (channel !== "sms") return noLanguages;
  let common: readonly number[] | undefined;
  for (const gateway of gateways) {
    if (!gateway.enabled || !carries(gateway, partner, country)) continue;
    const { languages } = meansOf(gateway);
    if (languages.length === 0) return noLanguages;
    common = common === undefined ? languages : common.filter((each) => languages.includes(each));
  }
  return common ?? noLanguages;
}
const noLanguages: readonly number[] = [];

/** Nothing but what the message says itself. */
const asAsked: SenderPlan = { type: "sender", fields: {} };

/** As it is stored; what is no sender is refused with the other fields. */
function readFrom(channel: Channel, from: string): string {
  const found = channelModule(channel).sender(from);
  return found.kind === "read" ? found.value : from;
}

function planPool(
  pool: SenderPool,
  rule: SenderRule | undefined,
  preferred: string | undefined,
): SenderPlan {
  const { usable, wrong } = rule === undefined ? { usable: pool.senders } : takenOf(pool, rule);
  if (wrong !== undefined) throw refused(rule!, wrong, "sender_pool");
  return { type: "pool", pool, usable, preferred };
}

/** Which senders of a pool a rule takes; with why it does not take the first where it takes none. */
type Taken = { readonly usable: readonly string[]; readonly wrong?: SenderFault | undefined };
/** Neither ever changes in place, and every message of the pool to the country asks. */
const takenByRule = new WeakMap<SenderRule, WeakMap<SenderPool, Taken>>();

function takenOf(pool: SenderPool, rule: SenderRule): Taken {
  let known = takenByRule.get(rule);
  if (known === undefined) {
    known = new WeakMap();
    takenByRule.set(rule, known);
  }
  let found = known.get(pool);
  if (found === undefined) {
    const usable = pool.senders.filter((sender) => senderFault(rule, sender) === undefined);
    found = usable.length > 0 ? { usable } : { usable, wrong: senderFault(rule, pool.senders[0]!) };
    known.set(pool, found);
  }
  return found;
}

const refused = (
  { country_prefix }: SenderRule,
  { code, message }: SenderFault,
  path: "from" | "sender_pool",
): PublicError =>
  new PublicError("sender_not_allowed", `The sender is not taken there: ${message}.`, {
    errors: [{ path, code, message }],
    extra: { country_prefix: `+${country_prefix}` },
  });
