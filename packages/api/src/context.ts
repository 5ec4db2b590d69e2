import type { Environment, EventData, MasterKey } from "@heliograph/contracts";
import type { Directory, Partner } from "@heliograph/platform";
import type { EventLog } from "@heliograph/log";
import type { PartnerClock, Settings } from "@heliograph/runtime";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import type { Logger } from "pino";
import type { Counters } from "./limits/allowance.ts";
import type { FindSession } from "./session-record.ts";

/** A tenant and an API key as the directory folds them from the platform log. */
export type PartnerRecord = Partner;
export type KeyRecord = EventData<"KeyIssued"> & { readonly revoked: boolean };

/** What belongs to one environment. Nothing in a call reaches the other one's. */
export type EnvironmentDeps = {
  readonly log: EventLog;
  /** Durable commits. */
  readonly pool: pg.Pool;
  /** Read models. */
  readonly projectionPool: pg.Pool;
  readonly connection: pg.ClientConfig;
  /** The keys of personal data. */
  readonly vault: Vault;
  /** Which time it is for a partner. */
  readonly clock: PartnerClock;
  /** Resolves later while the consumers of this process are behind, so that accepting does not outrun sending; `early`: sooner, for a partner who sends more than others do. */
  readonly pressure?: (early: boolean) => Promise<void> | undefined;
};

/** What `serveApi` is given. */
export type ApiDeps = {
  readonly environments: Readonly<Record<Environment, EnvironmentDeps>>;
  readonly platformLog: EventLog;
  /** Durable commits in the platform's database. */
  readonly platformPool: pg.Pool;
  readonly directory: Directory;
  readonly settings: Settings;
  /** 32 bytes that seal stored answers and derive secrets. */
  readonly masterKey: MasterKey;
  readonly logger: Logger;
  /** What of the rest of this process is not ready yet (`/readyz`); nothing when left out. */
  readonly waitingFor?: () => readonly string[];
  /** Told of every call that changes something or was refused; must not throw. `first`: the answer waits until it is written, or cannot be. */
  readonly audit?: (entry: AuditEntry, first: boolean) => Promise<void> | void;
};

/** What every route of this process is given. */
export type ApiContext = ApiDeps & {
  readonly counters: Readonly<Record<Environment, Counters>>;
  /** Every scope that a route asks for. */
  readonly scopes: ReadonlySet<string>;
  /** Notes that a key was used, `now` in epoch ms. */
  readonly used: (key: KeyRecord, now: number) => void;
  /** Finds the session of an access token; left out where no hosted service has sessions. */
  readonly session?: FindSession | undefined;
  /** The OpenAPI document of what this process serves. */
  readonly document: () => object;
  /** Aborted when the server stops: long waits end, everything else is finished. */
  readonly stopping: AbortSignal;
};

export type AuditEntry = {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly environment: Environment;
  /** Empty where nobody is known. */
  readonly partner: string;
  readonly actor: string;
  /** Of the key, also of one that opened nothing. */
  readonly keyPrefix?: string;
  /** `POST /keys`. */
  readonly action: string;
  readonly target: string;
  readonly requestId: string;
  readonly ip: string;
  /** The HTTP status. */
  readonly outcome: number;
  /** The error's code where it was refused. */
  readonly code?: string;
  /** Of the last event that it appended, to whichever log. */
  readonly position?: bigint;
};
