import { senderRuleFor } from "@heliograph/domain";
import type { ServiceContext } from "@heliograph/runtime";
import { routedOf } from "./job.ts";
import { routeOf, rulesByChannel, takenThere } from "./routing.ts";
import type { State } from "./state.ts";

/** Why no gateway may carry a message with its sender, or its lack of one, to the recipient's country; undefined where one may, or where none is there to ask. */
export function senderRefusal(
  { directory, environment }: Pick<ServiceContext, "directory" | "environment">,
  state: State,
  to: string,
): string | undefined {
  const rules = directory.senderRules(environment);
  const { channel } = state.request;
  const rule = senderRuleFor(rules, channel, to);
  if (rule === undefined) return undefined;
  const gateways = directory.gateways(environment, channel).filter(({ enabled }) => enabled);
  const items = gateways.map((config) => ({ config }));
  const routing = rulesByChannel(directory.routing(environment), gateways);
  const message = { ...routedOf({ state, opened: undefined }), to };
  const route = routeOf(routing, items, message);
  const { candidates, excluded } = takenThere(route, message, rules);
  const [first] = excluded ?? [];
  return candidates.length > 0 || first === undefined
    ? undefined
    : `no gateway may send it to +${rule.country_prefix}: ${first.name}: ${first.why}`;
}
