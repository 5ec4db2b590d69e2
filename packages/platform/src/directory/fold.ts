import { streamOf, type Environment, type EventData, spaceAfter } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { AgentRecord, ClockState } from "@heliograph/runtime";
import { agentTypes, evolveAgent } from "./agents.ts";
import { evolveKey, keyTypes, type Key } from "./keys.ts";
import { foldPool, poolTypes, type SenderPool } from "./pools.ts";
import { evolvePartner, partnerTypes, type Partner } from "./partners.ts";

export type Gateway = EventData<"GatewayConfigured">;
export type Routing = EventData<"RoutingConfigured"> & { readonly revision: number };
export type SenderRules = EventData<"SenderRulesConfigured"> & { readonly revision: number };
export type PriceList = EventData<"PriceListPublished">;

/** What the platform log says: small enough for memory (some 1,500 bytes a partner with its keys), so that no request waits for a query. */
export type DirectoryState = {
  readonly partners: Map<string, Partner>;
  /** Those of them that live in another installation: mostly none, and asked of for every event. */
  readonly elsewhere: Set<string>;
  readonly keysBySha256: Map<string, Key>;
  readonly keysById: Map<string, Key>;
  readonly keysByPartner: Map<string, Set<string>>;
  /** Successors whose rotation has not come, by id: they open nothing and are listed nowhere. */
  readonly successors: Map<string, Key>;
  readonly gateways: Map<string, Gateway>;
  readonly routing: Map<Environment, Routing>;
  readonly senderRules: Map<Environment, SenderRules>;
  /** The versions of each list that are or may come into force, the highest first. */
  readonly prices: Map<string, readonly PriceList[]>;
  /** The list of each partner that has one of its own. */
  readonly priceLists: Map<string, string>;
  /** Partners by gateway and address of it. */
  readonly senders: Map<string, string>;
  /** By environment and whose they are, a partner or (under "") gateways; each list in the order of the names. */
  readonly senderPools: Map<string, readonly SenderPool[]>;
  readonly agents: Map<string, AgentRecord>;
  readonly agentsByPartner: Map<string, Set<string>>;
  /** The agent that signs in with an address, by the stream of its claim. */
  readonly agentByLogin: Map<string, string>;
  /** How often the sandbox of a partner was reset. */
  readonly resets: Map<string, number>;
  /** How far the sandboxes of partners are ahead. */
  readonly clocks: Map<string, ClockState>;
};

/** Of stretches that a clock went over only the latest matter: what was due in an older one has happened. */
const mostJumps = 50;

export const emptyDirectory = (): DirectoryState => ({
  partners: new Map(),
  elsewhere: new Set(),
  keysBySha256: new Map(),
  keysById: new Map(),
  keysByPartner: new Map(),
  successors: new Map(),
  gateways: new Map(),
  routing: new Map(),
  senderRules: new Map(),
  prices: new Map(),
  priceLists: new Map(),
  senders: new Map(),
  senderPools: new Map(),
  agents: new Map(),
  agentsByPartner: new Map(),
  agentByLogin: new Map(),
  resets: new Map(),
  clocks: new Map(),
});

export const directoryTypes = [
  ...partnerTypes,
  ...keyTypes,
  "GatewayConfigured",
  "GatewayRemoved",
  "RoutingConfigured",
  "SenderRulesConfigured",
  "PriceListPublished",
  "PriceListAssigned",
  "SenderAssigned",
  ...poolTypes,
  ...agentTypes,
  "LoginClaimed",
  "SandboxClockAdvanced",
  "SandboxReset",
] as const;

/** Folds one event of the platform log into the state, in place. */
export function evolveDirectory(state: DirectoryState, event: RecordedEvent): void {
  switch (event.type as (typeof directoryTypes)[number]) {
    case "PartnerCreated":
    case "PartnerChanged":
    case "PartnerPlaced":
      return foldPartner(state, event);
    case "KeyIssued":
    case "KeyRotated":
    case "KeyRevoked":
      return foldKey(state, event);
    case "GatewayConfigured": {
      const data = event.data as Gateway;
      state.gateways.set(data.gateway_id, data);
      return;
    }
    case "GatewayRemoved": {
      state.gateways.delete((event.data as EventData<"GatewayRemoved">).gateway_id);
      return;
    }
    case "RoutingConfigured": {
      const data = event.data as EventData<"RoutingConfigured">;
      state.routing.set(data.environment, { ...data, revision: event.revision });
      return;
    }
    case "SenderRulesConfigured": {
      const data = event.data as EventData<"SenderRulesConfigured">;
      state.senderRules.set(data.environment, { ...data, revision: event.revision });
      return;
    }
    case "PriceListPublished":
      return foldPrices(state, event.data as PriceList);
    case "PriceListAssigned": {
      const { partner_id, list } = event.data as EventData<"PriceListAssigned">;
      state.priceLists.set(partner_id, list);
      return;
    }
    case "SenderAssigned":
      return foldSender(state, event.data as EventData<"SenderAssigned">);
    case "SenderPoolConfigured":
    case "SenderPoolRemoved":
      return foldPool(state.senderPools, event);
    case "SandboxClockAdvanced":
      return foldClock(state, event.data as EventData<"SandboxClockAdvanced">);
    case "SandboxReset":
      return foldReset(state, event.data as EventData<"SandboxReset">);
    case "LoginClaimed": {
      const { login, agent_id } = event.data as EventData<"LoginClaimed">;
      state.agentByLogin.set(login, agent_id);
      return;
    }
    case "AgentCreated":
    case "AgentChanged":
    case "AgentActivated":
    case "AgentDisabled":
    case "AgentSessionsEnded": {
      const { agent_id } = event.data as { readonly agent_id: string };
      const agent = evolveAgent(state.agents.get(agent_id), event);
      if (agent === undefined) return;
      state.agents.set(agent_id, agent);
      const ids = state.agentsByPartner.get(agent.partner_id) ?? new Set();
      state.agentsByPartner.set(agent.partner_id, ids.add(agent_id));
      return;
    }
  }
}

function foldPartner({ partners, elsewhere }: DirectoryState, event: RecordedEvent): void {
  const { partner_id: id } = event.data as { readonly partner_id: string };
  const partner = evolvePartner(partners.get(id), event);
  if (partner === undefined) return;
  partners.set(id, partner);
  if (partner.place?.state === "elsewhere") elsewhere.add(id);
  else elsewhere.delete(id);
}

function foldSender(
  { senders }: DirectoryState,
  { gateway_id, address, partner_id }: EventData<"SenderAssigned">,
): void {
  senders.set(senderKey(gateway_id, address), partner_id);
}

function foldClock(
  { clocks }: DirectoryState,
  { partner_id, ahead_seconds, from, to }: EventData<"SandboxClockAdvanced">,
): void {
  const jump = { from: Date.parse(from), to: Date.parse(to) };
  const jumps = [...(clocks.get(partner_id)?.jumps ?? []), jump].slice(-mostJumps);
  clocks.set(partner_id, { aheadMs: ahead_seconds * 1_000, jumps });
}

function foldReset(
  { resets: all, clocks }: DirectoryState,
  { partner_id, resets }: EventData<"SandboxReset">,
): void {
  const before = all.get(partner_id) ?? 0;
  if (resets <= before) return;
  all.set(partner_id, resets);
  clocks.delete(spaceAfter(partner_id, before));
}

function foldPrices({ prices }: DirectoryState, list: PriceList): void {
  const others = (prices.get(list.list) ?? []).filter(({ version }) => version !== list.version);
  const versions = [...others, list].toSorted((left, right) => right.version - left.version);
  // Below the one in force none will ever be again.
  const inForce = versions.findIndex((each) => isInForce(each, Date.now()));
  prices.set(list.list, inForce < 0 ? versions : versions.slice(0, inForce + 1));
}

/** The higher version of a list counts from its time on. */
export const isInForce = ({ effective_from }: PriceList, atMs: number): boolean =>
  effective_from === undefined || Date.parse(effective_from) <= atMs;

/** No id holds a blank. */
export const senderKey = (gateway: string, address: string): string => `${gateway} ${address}`;

/** Refuses the key or the agent, and suspends the partner, in whose stream an event stands that cannot be read. */
export function distrust(state: DirectoryState, { stream, revision }: RecordedEvent): void {
  for (const partner of state.partners.values())
    if (streamOf("partner", partner.partner_id) === stream)
      state.partners.set(partner.partner_id, { ...partner, status: "suspended", revision });
  for (const agent of state.agents.values())
    if (streamOf("agent", agent.agent_id) === stream)
      state.agents.set(agent.agent_id, { ...agent, status: "disabled", revision });
  for (const key of state.keysById.values())
    if (streamOf("key", key.key_id) === stream) setKey(state, { ...key, revoked: true, revision });
  for (const key of state.successors.values())
    if (streamOf("key", key.key_id) === stream)
      state.successors.set(key.key_id, { ...key, revoked: true, revision });
}

/** A successor takes its place with the rotation that names it: of two that were made at once, only the one that won. */
function foldKey(state: DirectoryState, event: RecordedEvent): void {
  const { key_id } = event.data as { readonly key_id: string };
  const key = evolveKey(state.keysById.get(key_id) ?? state.successors.get(key_id), event);
  if (key === undefined) return;
  if (event.type === "KeyIssued" && key.replaces !== undefined) {
    state.successors.set(key_id, key);
    return;
  }
  if (state.successors.has(key_id)) state.successors.set(key_id, key);
  else setKey(state, key);
  const successor = event.type === "KeyRotated" && state.successors.get(key.replaced_by ?? "");
  if (!successor) return;
  state.successors.delete(successor.key_id);
  setKey(state, successor);
}

function setKey(state: DirectoryState, key: Key): void {
  const ids = state.keysByPartner.get(key.partner_id) ?? new Set();
  state.keysByPartner.set(key.partner_id, ids.add(key.key_id));
  state.keysBySha256.set(key.sha256, key);
  state.keysById.set(key.key_id, key);
}

/** Gateways of an environment, in the order of their names; of one channel when it is given. */
export const gatewaysOf = (
  state: DirectoryState,
  environment: Environment,
  channel?: string,
): readonly Gateway[] =>
  [...state.gateways.values()]
    .filter(
      (gateway) =>
        gateway.environment === environment &&
        (channel === undefined || gateway.channel === channel),
    )
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
