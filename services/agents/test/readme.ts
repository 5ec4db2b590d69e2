// What the README shows, compiled.
import type { AgentRecord } from "@heliograph/runtime";
import { decideDisable, type Caller } from "../src/decide-agent.ts";

declare const agent: AgentRecord;
declare const caller: Caller;
declare const others: readonly AgentRecord[];
declare const now: string;

export function example(): readonly object[] {
  const decision = decideDisable(agent, caller, others, now);
  const events = "events" in decision ? decision.events : []; // [{ type: "AgentDisabled", … }], once
  return events;
}
