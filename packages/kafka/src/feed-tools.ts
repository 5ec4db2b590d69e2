import type { Environment } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Logger } from "pino";
import type { Counter } from "prom-client";
import type { Sink } from "./member.ts";
import type { Published } from "./tables/chain.ts";
import type { SharingGroup } from "./tail.ts";

/** What the members of a feed have in common. */
export type FeedTools = {
  readonly log: EventLog;
  readonly environment: Environment;
  readonly logger: Logger;
  readonly missing: Counter<"environment" | "consumer">;
  /** Makes sure that there is a topic. */
  ready(): Promise<void>;
  /** The offsets at both ends of every partition. */
  ends(): Promise<readonly { partition: number; high: string; low: string }[]>;
  /** The offsets at which a consumer's group goes on; -1 where it has none and begins at the low end. */
  committed(name: string): Promise<readonly { partition: number; offset: bigint }[]>;
  chain(): Promise<Published>;
  join(name: string, sink: Sink): SharingGroup;
};
