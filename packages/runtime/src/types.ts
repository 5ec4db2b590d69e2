import type { Environment, EventData, EventType, MasterKey, Shard } from "@heliograph/contracts";
import type { Batch, EventLog, RecordedEvent } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import type { Logger } from "pino";
import type { Settings } from "./settings.ts";
import type { PartnerClock } from "./virtual-clock.ts";

/** What every consumer of one environment is given. */
export type ServiceContext = {
  readonly environment: Environment;
  /** What metrics and `/readyz` call it, where that is not the environment. */
  readonly shownAs?: "platform";
  /** The environment's log. */
  readonly log: EventLog;
  /** How events reach consumers; left out, they subscribe to the log. */
  readonly feed?: Feed | undefined;
  /** How to reach the environment's database, for sessions outside the pools. */
  readonly connection: pg.ClientConfig;
  /** Durable commits: intents, schedules, anything that guards an effect outside. */
  readonly pool: pg.Pool;
  /** `synchronous_commit=off`: read models whose loss in a crash the checkpoint, lost with them, makes good. */
  readonly projectionPool: pg.Pool;
  readonly settings: Settings;
  readonly directory: GatewayDirectory;
  /** By which everything of a partner is due and told; of machinery, such as calls, leases and webhooks, the real clock decides. */
  readonly clock: PartnerClock;
  /** 32 bytes that seal webhook secrets and derive keys. */
  readonly masterKey: MasterKey;
  /** The keys of the environment's personal data. */
  readonly vault: Vault;
  readonly logger: Logger;
};

/**
 * One data-modifying statement of a batch. `sql` is the body of a CTE; its parameters are `$1…$n` of its own `values` (the runtime renumbers them);
 * `{schema}` stands for the consumer's schema. Parts of one batch see the same snapshot: no two may touch the same row.
 * `name` identifies the text for the prepared statement: the same name always comes with the same sql.
 */
export type WritePart = {
  readonly name: string;
  readonly sql: string;
  readonly values: readonly unknown[];
};

/**
 * Tables that hold rows of spaces, each with its column, or SQL over its columns, that names whose a row is. A table without a schema is in the consumer's; the name of an own one
 * in another schema has it in front.
 */
export type SpaceTables = Readonly<Record<string, string>>;

/** Consumers own exactly one schema, for whose name `{schema}` stands in their SQL. */
type ConsumerBase<Type extends EventType> = {
  readonly name: string;
  readonly schema: string;
  /** The event types it is given; none listed: all of them. */
  readonly types: readonly Type[];
  /**
   * False for an event of these types that asks for nothing: it is not handed over, and where a batch has no other the checkpoint passes it as seldom as events of other types.
   * One that cannot be read (version 0) is handed over without asking, and so is one for which this throws.
   */
  concerns?(event: RecordedEvent<Type>): boolean;
  /** True for an event when nobody waits for what comes of it: while there are only such ones they are handed over a moment later, together with whatever comes meanwhile. */
  patient?(event: RecordedEvent<Type>): boolean;
  /**
   * For a consumer that is about what partners have in their spaces: behind the end of a space it is given none of its events, and the rows of these tables go. A reactor is given
   * none from the reset on.
   */
  readonly spaces?: SpaceTables;
  /** `log`: always subscribes to the log, whatever the feed is. */
  readonly feed?: "log";
  /** Most events handed over at once; default 500. */
  readonly maxEvents?: number;
  /** Waits this long for more events when a batch is small, so that bursts share one commit; default 0. */
  readonly lingerMs?: number;
};

/** Writes read models only; may be rebuilt from position 0 at any time. */
export type Projector<Type extends EventType = EventType> = ConsumerBase<Type> & {
  readonly kind: "projector";
  /** Makes the tables. Changing them, or what is written into them, takes a higher `version`: they are then rebuilt from the log. */
  readonly ddl: string;
  /** Default 1. */
  readonly version?: number;
  /** Called at start and again for each rebuild: caches live in the instance, never in the module. */
  readonly create: (
    tools: ProjectorTools,
  ) => ProjectorInstance<Type> | Promise<ProjectorInstance<Type>>;
};
export type ProjectorTools = {
  readonly pool: pg.Pool;
  readonly schema: string;
  readonly position: bigint;
};
export type ProjectorInstance<Type extends EventType = EventType> = {
  /** Pure over the events and the instance's caches: gives the writes of the batch. They commit together with the checkpoint. */
  project(
    events: readonly RecordedEvent<Type>[],
  ): readonly WritePart[] | Promise<readonly WritePart[]>;
  /** After the commit: wake readers that wait. */
  committed?(position: bigint): void;
};

/** Has effects: appends, provider calls, webhooks. Never replayed by a rebuild. */
export type Reactor<Type extends EventType = EventType> = ConsumerBase<Type> & {
  readonly kind: "reactor";
  /** Numbered by their place, from 1, and never edited once released: these tables cannot be made from the log. */
  readonly migrations: readonly string[];
  /**
   * Several copies may share the work, each for some shards: the reactor keeps to the rows of `tools.shard`. With `asked` only where HELIOGRAPH_SHARDS asks for it, and not with every feed that has
   * shards.
   */
  readonly sharded?: boolean | "asked";
  readonly start: (tools: ReactorTools) => ReactorInstance<Type> | Promise<ReactorInstance<Type>>;
};
export type ReactorTools = {
  readonly context: ServiceContext;
  readonly schema: string;
  /** The part of the namespace that this instance is for; left out when it is for all of it. Rows of other shards are not its own. */
  readonly shard?: Shard | undefined;
  /** Increases with every owner: rows written under a lower one belong to a predecessor that is gone or fenced. */
  readonly epoch: number;
  readonly checkpoint: Checkpoint;
  readonly logger: Logger;
  /** Ends when the consumer must stop at once (fenced or shut down after the drain). */
  readonly signal: AbortSignal;
  /** Ends when no more events are read: what waits for something outside, such as a broker that is away, gives up then. */
  readonly stopping: AbortSignal;
  /** Reports broken machinery: the runtime restarts the consumer from its checkpoint with back-off. */
  readonly fail: (error: unknown) => void;
};
export type Checkpoint = {
  readonly position: bigint;
  /** Runs the parts and moves the checkpoint to `position` (may be the same) in ONE statement, compare-and-set; calls are serialised. Throws Fenced. */
  commit(position: bigint, parts?: readonly WritePart[]): Promise<void>;
  /** Everything up to here is dealt with, though no commit says so yet: the consumer shows it and is not behind. */
  dealt(position: bigint): void;
};
export type ReactorInstance<Type extends EventType = EventType> = {
  /** Takes a batch; resolves when it is ready for the next (back-pressure). A simple reactor appends, then commits. Events of other types are not in the batch. */
  handle(batch: Batch<Type>): Promise<void>;
  /** Takes an event that was set aside, out of order, when an operator asks for it; left out where `handle` can do that. */
  retry?(event: RecordedEvent<Type>): Promise<void>;
  /** Finishes what is in flight (bounded by `deadlineMs`), commits, closes. */
  stop(deadlineMs: number): Promise<void>;
};
export type Consumer = Projector | Reactor;
export const isDivisible = (consumer: Consumer): consumer is Reactor =>
  consumer.kind === "reactor" && (consumer.sharded ?? false) !== false;

/** A projector that is given events of the types it lists, and no others: `project` sees only them. */
export const projector = <const Type extends EventType>(
  definition: Projector<Type>,
): Projector<Type> => definition;
/** The same of a reactor. */
export const reactor = <const Type extends EventType>(definition: Reactor<Type>): Reactor<Type> =>
  definition;

/** What consumers of the platform's log are given: that log and its database, with the environments in which they set something up. What is personal is sealed by the vault of live. */
export type PlatformContext = ServiceContext & {
  readonly environments: Readonly<Record<Environment, ServiceContext>>;
};

/** What a service contributes to a process: its consumers, per environment. Exported as `service` by `services/<x>/src/index.ts`. */
export type Service = {
  readonly name: string;
  /** Left out by a service that only answers calls: it has no process of its own. */
  readonly consumers?: (context: ServiceContext) => readonly Consumer[];
  /** Consumers of the platform's log, once for both environments. */
  readonly platformConsumers?: (context: PlatformContext) => readonly Consumer[];
  /** Tables in each environment's database that belong to no consumer. */
  readonly tables?: readonly OwnTables[];
};

/** Migrations are numbered by their place, from 1, and never edited once released. */
export type OwnTables = { readonly schema: string; readonly migrations: readonly string[] };

/** Brings the log's events to consumers by another way than a subscription to it. The log stays the truth: what is missing on the way is read from there. */
export type Feed = {
  /** Into how many shards a sharded reactor is divided when it first runs on this feed. It stays so for ever. */
  readonly shards: number;
  /** Joins the consumer's group. */
  join(consumer: {
    readonly name: string;
    readonly types: readonly EventType[];
    readonly sharded?: boolean;
  }): FeedMember;
};
export type FeedMember = {
  /** True while the group gives this shard to this process. */
  assigned(shard: Shard): boolean;
  /** Hears that the shards assigned to this process changed. */
  onChange(listener: () => void): void;
  /**
   * Events after a position: of one shard in its order (`position` of a batch is then the last of that shard), without a shard the whole namespace in total order. Never ends by
   * itself, leaves nothing out, repeats nothing, survives disconnects and rebalances.
   */
  subscribe(options: {
    readonly after: bigint;
    readonly shard?: Shard | undefined;
    readonly signal: AbortSignal;
    readonly maxEvents?: number;
    /** Up to where everything is stored: what the feed may forget. */
    readonly durable?: () => bigint;
  }): AsyncIterable<Batch>;
  /** Leaves the group, so that its partitions go to others at once. */
  leave(): Promise<void>;
};

/** The part of the directory that consumers use; `@heliograph/platform` implements it. */
export type GatewayConfig = EventData<"GatewayConfigured">;
export type SenderRules = EventData<"SenderRulesConfigured">["rules"];
export type SenderPool = EventData<"SenderPoolConfigured">;
export type RoutingRules = EventData<"RoutingConfigured">["rules"];
/** An agent as the platform log has it now. */
export type AgentRecord = Omit<EventData<"AgentCreated">, "status"> & {
  readonly status: "invited" | "active" | "disabled";
  readonly updated_at: string;
  /** Sessions of an earlier generation of its credentials are over, but for the spared one. */
  readonly generation: number;
  readonly spared: string | undefined;
  /** Environments that the agent had and has no more, with the time of each. */
  readonly taken: Readonly<Partial<Record<Environment, string>>>;
  /** Of the last event of its stream. */
  readonly revision: number;
};
export type KnownPartner = {
  readonly name: string;
  readonly currency: string;
  readonly status: "active" | "suspended";
  /** Left out while it lives here. */
  readonly place?: {
    readonly state: "leaving" | "elsewhere";
    readonly address?: string;
    /** Of the copy that it moves to. */
    readonly move_id?: string;
  };
} & Partial<
  Pick<
    EventData<"PartnerChanged">,
    "allowed_countries" | "rate_limit" | "message_rate" | "daily_messages" | "recipient_rate"
  >
>;
export type GatewayDirectory = {
  agent(id: string): AgentRecord | undefined;
  /** Oldest first. */
  agentsOf(partner: string): readonly AgentRecord[];
  gateways(environment: Environment, channel?: string): readonly GatewayConfig[];
  /** The rules by which messages find their gateway; the first that matches counts. */
  routing(environment: Environment): RoutingRules;
  /** Which senders countries take; the rule of the longest prefix counts. */
  senderRules(environment: Environment): SenderRules;
  partner(id: string): KnownPartner | undefined;
  /** Whether there is such a partner, by the platform's log: one that was made a moment ago is waited for. Rejects when that takes too long. */
  knows(partner: string): Promise<boolean>;
  /** What a partner's data in an environment is named by now; takes the partner's id, or a space that it had. */
  spaceOf(environment: Environment, partner: string): string;
  /** Whether a sandbox has been reset since, or its partner lives in another installation: what goes on in it reaches nobody. */
  isOver(environment: Environment, space: string | undefined): boolean;
  /** The partner to whom an address of a gateway, in its one form, was assigned. */
  senderOf(gateway: string, address: string): string | undefined;
  /** The pools of senders that a partner's messages can take one of: its own, then those of gateways, each in the order of their names. Takes the partner's id, or a space of it. */
  senderPools(environment: Environment, partner: string): readonly SenderPool[];
  /** The version of a price list, `standard` when none is named, that is in force at a time (epoch milliseconds; now when left out). */
  prices(list?: string, atMs?: number): EventData<"PriceListPublished"> | undefined;
  /** The price list that was assigned to a partner. */
  priceListOf(partner: string): string | undefined;
  onChange(listener: () => void): () => void;
};
