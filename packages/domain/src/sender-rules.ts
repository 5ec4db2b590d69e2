import { type Channel, type FieldError, senderTypes } from "@heliograph/contracts";
import { z } from "zod";

type SenderType = (typeof senderTypes)[number];
const Sender = z.string().min(1).max(20);
/** Digits: a country's and the first of its numbers, as of one network. */
const longestPrefix = 7;

/** What a country, or a part of one, takes as the sender of an SMS, as operators give it. */
export const SenderRule = z
  .strictObject({
    country_prefix: z
      .string()
      .regex(
        new RegExp(`^\\+?[1-9]\\d{0,${longestPrefix - 1}}$`),
        "must be the first digits of a number, such as +48",
      )
      .overwrite((text) => text.replace("+", ""))
      .meta({
        description: "The first digits of the number; the longest that fits counts.",
        example: "+48",
      }),
    alphanumeric: z.boolean().optional().meta({ description: "false: no names, numbers only." }),
    types: z.array(z.enum(senderTypes)).min(1).max(3).optional().meta({
      description: "Only these: names, short codes of at most eight digits, or long numbers.",
    }),
    registered: z.array(Sender).min(1).max(1_000).optional().meta({
      description: "Only these senders, as they are registered there.",
    }),
    two_way: z.literal(true).optional().meta({
      description: "People must be able to answer: numbers, by gateways that bring answers.",
    }),
    default: Sender.optional().meta({ description: "Of messages that name no sender." }),
    replacement: Sender.optional().meta({
      description: "In the place of senders that are not taken, which are refused without it.",
    }),
  })
  .meta({ id: "SenderRule" });
export type SenderRule = z.infer<typeof SenderRule>;
export const SenderRules = z.array(SenderRule).max(300);

/** A name; else, by its length, what networks of one country or of all know it as. */
export const senderTypeOf = (sender: string): SenderType =>
  !/^\+?\d+$/.test(sender)
    ? "alphanumeric"
    : sender.startsWith("+") || sender.length > 8
      ? "long_code"
      : "short_code";

/** Rules never change in place, and each message asks. */
const byPrefix = new WeakMap<readonly SenderRule[], ReadonlyMap<string, SenderRule>>();

/** The one of the longest prefix. Of an SMS alone: other channels show an account of the provider's. */
export function senderRuleFor(
  rules: readonly SenderRule[],
  channel: Channel,
  to: string,
): SenderRule | undefined {
  if (rules.length === 0 || channel !== "sms" || !to.startsWith("+")) return undefined;
  let known = byPrefix.get(rules);
  if (known === undefined) {
    known = new Map(rules.map((rule) => [rule.country_prefix, rule]));
    byPrefix.set(rules, known);
  }
  for (let length = longestPrefix; length > 0; length--) {
    const found = known.get(to.slice(1, length + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

export type SenderFault = { readonly code: string; readonly message: string };
const fault = (code: string, message: string): SenderFault => ({ code, message });

/** A number without its plus: both ways to write it are one sender. */
const bare = (sender: string): string => sender.replace(/^\+(?=\d+$)/, "");

const registeredOf = new WeakMap<SenderRule, ReadonlySet<string>>();

/** A thousand senders may be registered, and a pool has a hundred to ask for: the list is read once. */
function isRegistered(rule: SenderRule, sender: string): boolean {
  if (rule.registered === undefined) return true;
  let known = registeredOf.get(rule);
  if (known === undefined) {
    known = new Set(rule.registered.map(bare));
    registeredOf.set(rule, known);
  }
  return known.has(bare(sender));
}

/** Why a sender is not taken there; undefined where it is. */
export function senderFault(rule: SenderRule, sender: string): SenderFault | undefined {
  const { alphanumeric, types, two_way, country_prefix } = rule;
  const there = `+${country_prefix}`;
  const type = senderTypeOf(sender);
  if (type === "alphanumeric" && alphanumeric === false)
    return fault("alphanumeric_not_allowed", `numbers of ${there} take no names as senders`);
  if (types !== undefined && !types.includes(type))
    return fault("type_not_allowed", `numbers of ${there} take ${types.join(", ")}, not ${type}`);
  if (type === "alphanumeric" && two_way)
    return fault("not_two_way", `nobody of ${there} could answer a name`);
  if (!isRegistered(rule, sender))
    return fault("not_registered", `it is not registered for ${there}`);
  return undefined;
}

/** Whether some sender would not be taken: then one that nobody knows is not, either. */
const asksForSome = ({ alphanumeric, types, registered, two_way }: SenderRule): boolean =>
  alphanumeric === false || types !== undefined || registered !== undefined || two_way === true;

/** What of a gateway says which sender a message without one has there. */
export type GatewaySender = {
  /** Undefined: the provider chooses, and nobody knows which. */
  readonly ownSender: string | undefined;
  readonly bringsAnswers: boolean;
};

/** Why a gateway may not carry a message there with its sender; undefined where it may. */
export function gatewayFault(
  rule: SenderRule | undefined,
  from: string | undefined,
  { ownSender, bringsAnswers }: GatewaySender,
): SenderFault | undefined {
  if (rule === undefined) return undefined;
  const sender = from ?? ownSender;
  if (sender === undefined) {
    if (!asksForSome(rule)) return undefined;
    return fault(
      "required",
      `numbers of +${rule.country_prefix} ask for a sender, and it has none`,
    );
  }
  const own = senderFault(rule, sender);
  if (own !== undefined) return own;
  return rule.two_way && !bringsAnswers
    ? fault("not_two_way", `it brings no answers, which +${rule.country_prefix} asks for`)
    : undefined;
}

/** What is wrong with the rules themselves: two of one prefix, or senders of their own that they would not take. */
export const senderRulesFaults = (rules: readonly SenderRule[]): readonly FieldError[] =>
  rules.flatMap((rule, index) => {
    const path = `rules.${index}`;
    const twice = rules.findIndex((each) => each.country_prefix === rule.country_prefix) < index;
    return [
      ...(twice
        ? [{ path: `${path}.country_prefix`, code: "duplicate", message: "has a rule above" }]
        : []),
      ...(["default", "replacement"] as const).flatMap((field) => {
        const sender = rule[field];
        const wrong = sender === undefined ? undefined : senderFault(rule, sender);
        return wrong === undefined ? [] : [{ path: `${path}.${field}`, ...wrong }];
      }),
    ];
  });
