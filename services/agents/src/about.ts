import type { Call } from "@heliograph/api";
import type { Environment } from "@heliograph/contracts";
import type { AgentRecord } from "@heliograph/runtime";

/** Names the account that a call of somebody who is not signed in is about, for its partner's audit: also of a try that fails. */
export function tellAbout(
  call: Pick<Call, "about">,
  { agent_id, partner_id, environments }: AgentRecord,
  environment: Environment = environments[0]!,
): void {
  call.about = { environment, partner: partner_id, actor: agent_id };
}
