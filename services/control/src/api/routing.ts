import { channelModule } from "@heliograph/channels";
import type { FieldError } from "@heliograph/contracts";
import {
  RoutingRule,
  RoutingRules,
  routingFaults,
  SenderRule,
  SenderRules,
  senderRulesFaults,
} from "@heliograph/domain";
import { environmentRules } from "./environment-rules.ts";

export const routingRoutes = [
  ...environmentRules({
    path: "/admin/routing",
    category: "routing",
    type: "RoutingConfigured",
    rule: RoutingRule,
    rules: RoutingRules,
    id: "Routing",
    about: "The first that matches a message counts.",
    summaries: {
      read: "The rules by which messages find their gateway",
      put: "Replace the rules by which messages find their gateway; in force everywhere within a second",
    },
    stored: (directory, environment) => directory.routingState(environment),
    read: (rules, directory, environment) => ({
      rules,
      faults: routingFaults([...rules], directory.gateways(environment), directory, environment),
    }),
  }),
  ...environmentRules({
    path: "/admin/sender-rules",
    category: "senderrules",
    type: "SenderRulesConfigured",
    rule: SenderRule,
    rules: SenderRules,
    id: "SenderRules",
    about: "The one of the longest prefix counts.",
    summaries: {
      read: "Which senders countries take",
      put: "Replace the rules for the senders that countries take; in force everywhere within a second",
    },
    stored: (directory, environment) => directory.senderRulesState(environment),
    read: readSenderRules,
  }),
];

/** Their senders in the form that messages have them in: one that is no sender of an SMS would match none, or be refused by providers one message after another. */
function readSenderRules(given: readonly SenderRule[]): {
  readonly rules: readonly SenderRule[];
  readonly faults: readonly FieldError[];
} {
  const unread: FieldError[] = [];
  const read = (text: string, path: string): string => {
    const sender = channelModule("sms").sender(text);
    if (sender.kind === "read") return sender.value;
    unread.push({ path, code: sender.code, message: sender.message });
    return text;
  };
  const rules = given.map((rule, index): SenderRule => {
    const path = `rules.${index}`;
    const { default: preset, replacement, registered } = rule;
    return {
      ...rule,
      ...(registered !== undefined && {
        registered: registered.map((each, place) => read(each, `${path}.registered.${place}`)),
      }),
      ...(preset !== undefined && { default: read(preset, `${path}.default`) }),
      ...(replacement !== undefined && { replacement: read(replacement, `${path}.replacement`) }),
    };
  });
  return { rules, faults: unread.length > 0 ? unread : senderRulesFaults(rules) };
}
