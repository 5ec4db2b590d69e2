import { createHmac, randomBytes } from "node:crypto";
import {
  type Environment,
  type IdPrefix,
  type PublicError,
  deterministicId,
  newId,
  uuid5,
  uuid7,
} from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { endingAt, type Metadata } from "@heliograph/log";
import type { Settings } from "@heliograph/runtime";
import { acceptedTraceparent, type Span } from "@heliograph/tracing";
import type { Request, Response } from "express";
import { clientAddress } from "./addresses.ts";
import { scannedAtMost } from "./fold-bound.ts";
import type { Allowance } from "./limits/allowance.ts";
import { type Problem, problemOf } from "./problem.ts";
import { onBehalfHeader } from "./on-behalf.ts";
import type { EnvironmentDeps, ApiContext, KeyRecord, PartnerRecord } from "./context.ts";

/** The person behind a call that was made with a session's token. */
export type AgentIdentity = {
  readonly agent_id: string;
  readonly name: string;
  readonly role: "owner" | "admin" | "agent" | "viewer";
  readonly session_id: string;
};

/** An agent's account, and the environment whose audit tells of it. */
export type About = {
  readonly environment: Environment;
  readonly partner: string;
  readonly actor: string;
};

/** Who calls: the key and its partner, or an agent's session, which stands in for a key with the scopes of the agent's role. */
export type Identity = {
  readonly key: KeyRecord;
  readonly partner: PartnerRecord;
  readonly admin: boolean;
  readonly agent?: AgentIdentity;
};

/** The client's address by Express's `trust proxy` setting, in the form that is compared and recorded. */
export function addressOf(request: Request): string {
  const { headers } = request;
  // Nearly all that come without a proxy, or from a client that names none: Express would look through lists of one.
  const isSaid = headers["x-forwarded-for"] !== undefined || headers[onBehalfHeader] !== undefined;
  return clientAddress((isSaid ? request.ip : request.socket.remoteAddress) ?? "");
}

/** Where the caller reached us: links in answers lead there. The operator's word counts, else the request's own. */
export const originOf = (request: Request, settings: Pick<Settings, "publicUrl">): string =>
  settings.publicUrl ??
  (request.headers.host ? `${request.protocol}://${request.headers.host}` : "");

/** Where links of mail and of the team's messages lead. Never to where a request came to: strangers choose its `Host`, and the link holds a secret. */
export const originOfLinks = ({ publicUrl, port }: Pick<Settings, "publicUrl" | "port">): string =>
  publicUrl ?? `http://localhost:${port}`;

const isRead = (): never => {
  throw new Error("the body of this route is read for it");
};
const isNotUnderWay = (): never => {
  throw new Error("this call is not under way");
};

/** One request on its way through a handler. */
export class Call<Body = unknown, Query = unknown, Params = Readonly<Record<string, string>>> {
  readonly context: ApiContext;
  readonly identity: Identity | undefined;
  readonly requestId: string;
  readonly request: Request;
  readonly response: Response;
  /** `POST /webhook-endpoints`: what derived ids are derived from, besides the key. */
  readonly routeName: string;
  params: Params;
  query!: Query;
  body!: Body;
  idempotencyKey: string | undefined;
  /** SHA-256 of what is asked for, of a request with a key whose answer is kept: every event it appends holds it. */
  fingerprint: string | undefined;
  /** An earlier try of this very request ended without an answer, so nobody has seen the secrets that it made. */
  unfinished = false;
  /** Whose account a call of a public route is about, once that is known: the audit names it. */
  about: About | undefined;
  #concerned: Set<string> | undefined;
  #controller: AbortController | undefined;
  #ip: string | undefined;
  #deps: EnvironmentDeps | undefined;
  #past: EnvironmentDeps | undefined;

  constructor(
    context: ApiContext,
    identity: Identity | undefined,
    requestId: string,
    request: Request,
    response: Response,
    routeName: string,
    params: Params,
  ) {
    this.context = context;
    this.identity = identity;
    this.requestId = requestId;
    this.request = request;
    this.response = response;
    this.routeName = routeName;
    this.params = params;
  }

  /** The key's environment. Public routes have none. */
  get env(): Environment {
    return this.key.environment;
  }
  /** The log and pools of that environment; reads of the log take their turn among those of this partner. The log ends where `readUntil` says. */
  get deps(): EnvironmentDeps {
    return this.#past ?? this.present;
  }
  /** The same, with the log as it is now. */
  get present(): EnvironmentDeps {
    if (this.#deps === undefined) {
      const deps = this.context.environments[this.env];
      this.#deps = { ...deps, log: deps.log.forPartner(this.partner.partner_id) };
    }
    return this.#deps;
  }
  /** From here on the log of `deps` is as it ended at a position, and what was long by then is refused. */
  readUntil(position: bigint): void {
    const { present } = this;
    // Another object: what was folded of the log as it is now is remembered by its vault.
    this.#past = {
      ...present,
      log: scannedAtMost(endingAt(present.log, position)),
      vault: { ...present.vault },
    };
  }
  get isOfPast(): boolean {
    return this.#past !== undefined;
  }
  get partner(): PartnerRecord {
    return this.#known().partner;
  }
  /** The partner's id, by which keys, agents, endpoints, templates and teams are its own; `partner.partner_id` names what a reset of the sandbox leaves behind. */
  get account(): string {
    return this.key.partner_id;
  }
  get key(): KeyRecord {
    return this.#known().key;
  }
  get admin(): boolean {
    return this.identity?.admin ?? false;
  }
  /** Who did it, as events and the audit show it. */
  get actor(): string {
    return this.identity?.agent?.agent_id ?? this.identity?.key.key_id ?? "anonymous";
  }
  /**
   * Says whose data stands in the answer or in what was asked: ids of contacts (`cnt_…`), or other subjects that have a key. The answer that an idempotency key keeps, and the fingerprint of the request, are then sealed
   * under their keys, and once one of them is erased the key answers 410. Each mutating route that takes or shows a person's data calls it before it answers.
   * Events need the same care: seal `fingerprint` of `metadata()` under the contact's key, or leave it out.
   */
  concerns(...contacts: readonly string[]): void {
    this.#concerned ??= new Set();
    for (const each of contacts) this.#concerned.add(each);
  }
  /** Ids given to `concerns`. */
  get concerned(): readonly string[] {
    return [...(this.#concerned ?? [])];
  }
  /** The agent whose session makes the call; undefined for a key. */
  get agent(): AgentIdentity | undefined {
    return this.identity?.agent;
  }
  /** See `addressOf`. */
  get ip(): string {
    return (this.#ip ??= addressOf(this.request));
  }
  /** The address without its query. */
  get path(): string {
    const at = this.request.url.indexOf("?");
    return at === -1 ? this.request.url : this.request.url.slice(0, at);
  }
  /** A refusal of a part of the call, such as an item of a batch. */
  problem(error: PublicError): Problem {
    const origin = originOf(this.request, this.context.settings);
    return problemOf(error, this.requestId, this.path, origin);
  }
  /** The request in the trace of what it leads to; undefined where no traces are told. */
  span: Span | undefined;
  /** What the partner's limits grant to this call; undefined where nobody is known. */
  limits: Allowance | undefined;
  /** The body of a route that streams, as it comes. */
  chunks: () => AsyncIterable<Buffer> = isRead;
  /** Writes the head of an answer that the handler writes to `response` itself, with the headers that every answer has. */
  beginStream: (headers: Readonly<Record<string, string>>) => void = isNotUnderWay;
  /** The time of the caller's environment, epoch milliseconds: what happens there is stamped and held against time limits by it. Keys, sessions and rate limits follow the real one. */
  now(): number {
    return this.deps.clock.now(this.partner.partner_id);
  }
  /** The same as events hold it. */
  timestamp(): string {
    return formatTime(this.now());
  }
  /** For long waits: aborted when the client went away before the answer was finished, or the server stops. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      if (this.response.destroyed) controller.abort();
      else {
        const abort = (): void => controller.abort();
        const { stopping } = this.context;
        stopping.addEventListener("abort", abort, { once: true });
        this.response.once("close", () => {
          stopping.removeEventListener("abort", abort);
          abort();
        });
        if (stopping.aborted) abort();
      }
    }
    return this.#controller.signal;
  }

  /** Metadata of the events that this call appends. */
  metadata(extra?: Metadata): Metadata {
    const traceparent =
      this.span === undefined
        ? acceptedTraceparent(this.request.headers["traceparent"])
        : this.span.traceparent;
    return {
      partner: this.identity?.partner.partner_id ?? "",
      actor: this.actor,
      request_id: this.requestId,
      ...(this.fingerprint !== undefined && { fingerprint: this.fingerprint }),
      ...(this.identity !== undefined &&
        this.context.environments[this.env].clock.stamp(this.partner.partner_id)),
      ...(traceparent === undefined ? undefined : { traceparent }),
      ...extra,
    };
  }

  /**
   * An id for what this call creates. With an idempotency key it is derived from environment, partner, route and key, so that a
   * first try that crashed after its append is re-run to the same effect. `name` tells apart several of one kind.
   */
  derivedId(prefix: IdPrefix, name = ""): string {
    return this.idempotencyKey === undefined
      ? newId(prefix)
      : deterministicId(prefix, ...this.#seed(name));
  }
  /** The same for the id of an event. */
  eventId(name: string): string {
    return this.idempotencyKey === undefined ? uuid7() : uuid5("event", ...this.#seed(name));
  }
  /** The same for secrets: random, or derived with the master key, of two with the one that seals unless told otherwise. */
  derivedBytes(size: number, name: string, masterKey: Buffer = this.context.masterKey): Buffer {
    if (this.idempotencyKey === undefined) return randomBytes(size);
    const blocks: Buffer[] = [];
    for (let index = 0; index * 32 < size; index++)
      blocks.push(
        createHmac("sha256", masterKey)
          .update(["derive", String(index), ...this.#seed(name)].join("\u001f"))
          .digest(),
      );
    return Buffer.concat(blocks).subarray(0, size);
  }

  #seed(name: string): string[] {
    return [this.env, this.partner.partner_id, this.routeName, this.idempotencyKey!, name];
  }
  #known(): Identity {
    if (this.identity === undefined)
      throw new Error(`${this.routeName} is public: it has no partner`);
    return this.identity;
  }
}
