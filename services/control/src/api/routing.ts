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
    faults: (rules, directory, environment) =>
      routingFaults([...rules], directory.gateways(environment), directory, environment),
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
    faults: (rules) => senderRulesFaults(rules),
  }),
];
