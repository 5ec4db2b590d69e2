import {
  accountOf,
  readEventFlaw,
  resetsBefore,
  spaceAfter,
  streamOf,
  type Environment,
} from "@heliograph/contracts";
import { LogUnavailable, type EventLog, type RecordedEvent } from "@heliograph/log";
import type { AgentRecord, ClockState, GatewayDirectory } from "@heliograph/runtime";
import {
  directoryTypes,
  distrust,
  emptyDirectory,
  evolveDirectory,
  gatewaysOf,
  isInForce,
  senderKey,
  type DirectoryState,
  type Gateway,
  type PriceList,
  type Routing,
  type SenderRules,
} from "./fold.ts";
import type { Key } from "./keys.ts";
import { poolsOf } from "./pools.ts";
import type { Partner } from "./partners.ts";

export type { Gateway, PriceList, Routing, SenderRules } from "./fold.ts";
export type { Key } from "./keys.ts";
export type { Partner } from "./partners.ts";

/** Partners, keys, agents, gateways and prices, answered from memory and kept fresh by the platform log. */
export interface Directory extends GatewayDirectory {
  /** The clocks of sandboxes that were advanced, by partner. */
  readonly clocks: ReadonlyMap<string, ClockState>;
  partner(id: string): Partner | undefined;
  /** Oldest first. */
  partners(): readonly Partner[];
  /** The key whose SHA-256 (hex) this is, revoked ones too. */
  key(sha256: string): Key | undefined;
  keyById(id: string): Key | undefined;
  keysOf(partner: string): readonly Key[];
  gateways(environment: Environment, channel?: string): readonly Gateway[];
  /** The rules with when they were set, and where their stream stands; undefined where none were ever set. */
  routingState(environment: Environment): Routing | undefined;
  senderRulesState(environment: Environment): SenderRules | undefined;
  /** The highest version of a list, in force or not yet. */
  newestPrices(list: string): PriceList | undefined;
  /** Each list's versions in force and to come, the highest first. */
  priceLists(): readonly (readonly PriceList[])[];
  /** Every currency in which something is priced. */
  priceCurrencies(): readonly string[];
  /** The agent that signs in with an address; `login` is the stream of its claim. */
  agentOfLogin(login: string): AgentRecord | undefined;
  /** The position up to which the platform log is folded. */
  readonly position: bigint;
  /** Resolves when everything up to the position is folded; rejects after the time. Read your own writes with it. */
  caughtUp(position: bigint, timeoutMs?: number): Promise<void>;
  /** Resolves when everything is folded that the log has by now; those who ask while it looks share the next look. Throws LogUnavailable where the log does not answer, or is not followed that fast. */
  refreshed(): Promise<void>;
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

/** What is read from the state as it stands. */
function lookups(state: DirectoryState) {
  return {
    clocks: state.clocks,
    partner: (id) => state.partners.get(id),
    partners: () => [...state.partners.values()],
    key: (sha256) => state.keysBySha256.get(sha256),
    keyById: (id) => state.keysById.get(id),
    keysOf: (partner) =>
      [...(state.keysByPartner.get(partner) ?? [])].map((id) => state.keysById.get(id)!),
    routing: (environment) => state.routing.get(environment)?.rules ?? [],
    routingState: (environment) => state.routing.get(environment),
    senderRules: (environment) => state.senderRules.get(environment)?.rules ?? [],
    senderRulesState: (environment) => state.senderRules.get(environment),
    prices: (list = "standard", atMs = Date.now()) =>
      state.prices.get(list)?.find((version) => isInForce(version, atMs)),
    newestPrices: (list) => state.prices.get(list)?.[0],
    priceLists: () => [...state.prices.values()],
    priceListOf: (partner) => state.priceLists.get(partner),
    priceCurrencies: () => currenciesOf(state),
    spaceOf: (environment, partner) => spaceIn(state, environment, partner),
    isOver: (environment, space) =>
      space !== undefined &&
      ((state.elsewhere.size > 0 && state.elsewhere.has(accountOf(space))) ||
        (environment === "sandbox" &&
          resetsBefore(space) < (state.resets.get(accountOf(space)) ?? 0))),
    senderOf: (gateway, address) => state.senders.get(senderKey(gateway, address)),
    senderPools: (environment, partner) => poolsOf(state.senderPools, environment, partner),
    agent: (id) => state.agents.get(id),
    agentsOf: (partner) =>
      [...(state.agentsByPartner.get(partner) ?? [])].map((id) => state.agents.get(id)!),
    agentOfLogin: (login) => state.agents.get(state.agentByLogin.get(login) ?? ""),
  } satisfies Partial<Directory>;
}

/**
 * Folds the platform log to its head, then follows it. An event that breaks its schema is told and passed over: it must not keep every partner out, and the key
 * or the agent that it is about is refused from then on, because it may have been the revocation.
 */
export async function openDirectory(
  log: EventLog,
  onDamaged: (event: RecordedEvent, flaw: string) => void,
): Promise<Directory> {
  const state = emptyDirectory();
  const fold = (event: RecordedEvent): void => {
    const flaw = readEventFlaw(event);
    if (flaw === undefined) return evolveDirectory(state, event);
    distrust(state, event);
    onDamaged(event, flaw);
  };
  const listeners = new Set<() => void>();
  const waiting = openWaiting(() => position);
  const lists = gatewayLists(state);
  const closing = new AbortController();
  let position = await foldToHead(log, fold);

  const following = (async () => {
    for await (const batch of log.subscribe({
      after: position,
      types: directoryTypes,
      signal: closing.signal,
    })) {
      for (const event of batch.events) fold(event);
      position = batch.position;
      waiting.reached(position);
      if (batch.events.length > 0) {
        lists.clear();
        for (const listener of listeners) listener();
      }
    }
  })();

  const caughtUp = (target: bigint, timeoutMs?: number): Promise<void> =>
    position >= target ? Promise.resolve() : waiting.wait(target, timeoutMs);

  return {
    ...lookups(state),
    async knows(id) {
      if (state.partners.has(id)) return true;
      const [made] = await log.readStream(streamOf("partner", id), { limit: 1 });
      if (made !== undefined) await caughtUp(made.position);
      return made !== undefined;
    },
    gateways: lists.of,
    get position() {
      return position;
    },
    caughtUp,
    refreshed: sharedLook(async () => {
      const head = await log.head();
      await caughtUp(head, refreshMs).catch((cause: unknown) => {
        throw new LogUnavailable("what was registered last is not known yet", { cause });
      });
    }),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closing.abort();
      await following;
    },
  };
}

const spaceIn = ({ resets }: DirectoryState, environment: Environment, partner: string): string => {
  const account = accountOf(partner);
  return environment === "live" ? account : spaceAfter(account, resets.get(account) ?? 0);
};

const currenciesOf = ({ prices }: DirectoryState): readonly string[] => [
  ...new Set([...prices.values()].flat().map(({ currency }) => currency)),
];

/** The lists of gateways that were asked for, until something changes. */
function gatewayLists(state: DirectoryState): {
  of(environment: Environment, channel?: string): readonly Gateway[];
  clear(): void;
} {
  const lists = new Map<string, readonly Gateway[]>();
  return {
    of(environment, channel) {
      const name = `${environment}/${channel ?? ""}`;
      let list = lists.get(name);
      if (list === undefined) lists.set(name, (list = gatewaysOf(state, environment, channel)));
      return list;
    },
    clear: () => lists.clear(),
  };
}

/** Those who wait until a position is folded. */
function openWaiting(position: () => bigint): {
  reached(position: bigint): void;
  wait(target: bigint, timeoutMs?: number): Promise<void>;
} {
  const waiting = new Set<{ readonly target: bigint; readonly resolve: () => void }>();
  return {
    reached(at) {
      for (const waiter of waiting)
        if (waiter.target <= at) {
          waiting.delete(waiter);
          waiter.resolve();
        }
    },
    wait: (target, timeoutMs = 5_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(waiter);
          reject(new Error(`the directory is at ${position()}, not at ${target}`));
        }, timeoutMs);
        const waiter = { target, resolve: () => (clearTimeout(timer), resolve()) };
        waiting.add(waiter);
      }),
  };
}

/** The log's tail takes milliseconds. */
const refreshMs = 1_000;

/** One look at a time, shared by all who asked before it began: one that is under way may have passed what they ask for. */
function sharedLook(look: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => (current = look().finally(() => (current = undefined)));
  return () => {
    if (current === undefined) return begin();
    next ??= current
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  };
}

const eventsAtOnce = 2_000;

/** Folds what there is. Gives the position that was reached. */
async function foldToHead(log: EventLog, fold: (event: RecordedEvent) => void): Promise<bigint> {
  const head = await log.head();
  let position = 0n;
  while (position < head) {
    const page = await log.readAll({ after: position, limit: eventsAtOnce, types: directoryTypes });
    for (const event of page.events) fold(event);
    if (page.position === position) break;
    position = page.position;
  }
  return position;
}
