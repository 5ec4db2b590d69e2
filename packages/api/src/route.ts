import type { ErrorCode } from "@heliograph/contracts";
import { z } from "zod";
import { AsOf } from "./as-of.ts";
import type { Call } from "./call.ts";
import type { Deprecation } from "./deprecation.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * What a handler gives back. An object body is written as JSON; text and bytes go out as they are (set `content-type`);
 * undefined has no body. `position` is that of the last event appended, printed as `Log-Position`.
 */
export type Answer = {
  readonly status: number;
  readonly body?: object | string | Uint8Array | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly position?: bigint | undefined;
  /** Nothing was done of what was asked for: its idempotency key may be used for something else. */
  readonly claimsNoKey?: boolean;
  /** Of a single resource, by `etagOf`: printed as `ETag`; a GET whose `If-None-Match` has it is answered with 304 in place of this. A GET of a route with `etag` that names none has that of its body. */
  readonly etag?: string | undefined;
};

/** Returned by a handler that wrote to `call.response` itself, behind `call.beginStream`. */
export const streamed: Answer = { status: 0 };

/**
 * One endpoint. The pipeline has authenticated, limited, checked the scope, validated and claimed the idempotency key before
 * `handler` runs; a handler refuses by throwing `PublicError`.
 */
export type RouteDefinition<Body, Query, Params> = {
  readonly method: Method;
  /** Below `/api/v1` (`/messages/:id`); with `root: true` below `/`. */
  readonly path: string;
  readonly root?: boolean;
  /** `messages:read`, `admin`, … or `public`: no key is asked for and `call.partner` and `call.key` throw. */
  readonly scope: string;
  /** Keys `ak_admin_…` reach what has the scope `admin`, and this too. */
  readonly adminKeys?: true;
  readonly summary: string;
  /** It is to go: by `deprecation`. Every answer of it says so, and the documentation. */
  readonly deprecated?: Deprecation;
  readonly body?: Body;
  /** Every raw query value is text: coerce in the schema. Left out: no query is taken. */
  readonly query?: Query;
  readonly params?: Params;
  /** Of the success answer; undefined for one without a body or that is not JSON. */
  readonly response: z.ZodType | undefined;
  /** Success status for the documentation, default 200. */
  readonly status?: number;
  /** The answer follows from the log and from keys alone: with `as_of` in the query `call.deps` has the log as it ended there. */
  readonly asOf?: true;
  /** Other answers that are no problems, by status, for the documentation. */
  readonly also?: Readonly<Record<number, { description: string; response: z.ZodType }>>;
  /** Of the success answer where it is not JSON, for the documentation. */
  readonly contentType?: string | readonly string[];
  /** For the documentation: a query asks for the same as `text/csv`, whose headers say what stands beside the rows in JSON. */
  readonly csv?: true;
  /** What `Prefer` does here, for the documentation; left out: nothing. */
  readonly prefer?: string;
  /** Answers have an `etag`; a change of something that is there holds `If-Match` against it with `requireMatch`. Any other call that names a state in `If-Match` is refused. */
  readonly etag?: true;
  /** The header of a request by which its answers have one form or another: they name it in `Vary`. */
  readonly varies?: "Accept";
  /** Of a GET: the tag tells of what can be changed and not of all that is shown, so nobody is told with 304 that it is as he has it. */
  readonly showsMore?: true;
  /** Beyond those every route can give. */
  readonly errors: readonly ErrorCode[];
  readonly mutates?: boolean;
  /** Of a mutating route: a suspended partner's calls are taken too, because they take rights away or protect somebody. */
  readonly evenSuspended?: true;
  /**
   * `table` (default of mutating routes): the pipeline keeps the answer 24 h. `stream`: the handler's stream decides, and the pipeline keeps the key from other addresses. `items`: the same, and from other bodies:
   * each item has a stream, none tells of the whole. `message`: the stream is named by the key alone, and the handler asks `refusalsOfKeys`. `own`: the handler keeps what it needs; the only one that public routes have. `none`: no key is taken.
   */
  readonly idempotency?: "table" | "stream" | "items" | "message" | "own" | "none";
  /** Whether what the call's key makes is there: asked where a message has the key, and no claim tells of an earlier try. Left out: it is not. */
  readonly repeats?: (
    call: Call<Infer<Body>, Infer<Query>, InferParams<Params>>,
  ) => Promise<boolean>;
  /** Keys of a session's calls are that session's alone, not the partner's. */
  readonly sessionKeys?: boolean;
  /** Schema of the read model that the answer comes from: `Projection-Lag` and `Min-Log-Position` go by it. Left out: the answer is folded from the log, kept in memory, or of rows that have no position in it. */
  readonly projection?: string;
  /** Of a GET without `projection`: it is told from the log itself, so that nothing is behind, and `Projection-Lag` is 0. */
  readonly folded?: true;
  /** Media types of a body that is no JSON: nothing reads it before the handler, which takes it as it comes from `call.chunks()`. What the key of idempotency stands for is then the handler's to say. */
  readonly streams?: readonly string[];
  /** What a body that streams may be, by its media type: for readers of the document. */
  readonly streamExamples?: Readonly<Record<string, string>>;
  /** How long a body that streams may take to come; default 30 s, as for every request. */
  readonly maxBodyMs?: number;
  /** Most bytes of the body; default 256 KiB. */
  readonly maxBodyBytes?: number;
  /** A compiled check of the body, faster than zod: true means that the schema accepts the value as it is. */
  readonly accepts?: (body: unknown) => boolean;
  /** false: no audit entry where it was done by a key, because the audit reads it from the log (messages). `never`: refusals are no entries either, because anybody can cause as many as he likes. */
  readonly audit?: boolean | "never";
  readonly handler: (
    call: Call<Infer<Body>, Infer<Query>, InferParams<Params>>,
  ) => Answer | Promise<Answer>;
};

/** Whether an idempotency key means something here. */
export const takesKey = ({ mutates, idempotency, scope }: Route): boolean =>
  mutates === true && (idempotency === "own" || (idempotency !== "none" && scope !== "public"));

type Infer<Schema> = Schema extends z.ZodType ? z.infer<Schema> : undefined;
type InferParams<Schema> = Schema extends z.ZodType
  ? z.infer<Schema>
  : Readonly<Record<string, string>>;

// oxlint-disable-next-line typescript/no-explicit-any -- a table of routes with different shapes; each is checked where it is defined
export type Route = RouteDefinition<any, any, any>;

/** Gives the definition back, with `as_of` in its query where it takes that; its handler's call typed by its schemas. */
export const route = <
  Body extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Params extends z.ZodType | undefined = undefined,
>(
  definition: RouteDefinition<Body, Query, Params>,
): Route => {
  const { query, asOf } = definition;
  if (asOf === undefined) return definition;
  const own = query instanceof z.ZodObject ? query : z.strictObject({});
  return { ...definition, query: own.extend({ as_of: AsOf }) };
};
