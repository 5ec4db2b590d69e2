import {
  type Answer,
  type Call,
  changeOnce,
  etagOf,
  listBody,
  listOf,
  notValid,
  pageOf,
  reachable,
  requireMatch,
  type Route,
  route,
  slicePage,
  untilInEffect,
} from "@heliograph/api";
import {
  deterministicId,
  type Environment,
  environments,
  type EventData,
  isId,
  PublicError,
  streamOf,
} from "@heliograph/contracts";
import type { SenderPool } from "@heliograph/domain";
import type { Decision } from "@heliograph/log";
import { holding } from "@heliograph/runtime";
import type { z } from "zod";
import {
  CreateSenderPool,
  PatchSenderPool,
  readSenders,
  SenderPoolsQuery,
  senderPoolView,
  SenderPoolView,
} from "./sender-pool-schema.ts";

/** Of one partner, or of all gateways, in one environment: they are in the memory of every process. */
const mostPools = 50;

type Stored = { readonly pool: SenderPool; readonly revision: number };
type AnyCall = Call<unknown, unknown>;

const notFound = (): PublicError => new PublicError("not_found", "There is no such pool.");

const evolve = (
  stored: Stored | undefined,
  { type, data, revision }: { type: string; data: unknown; revision: number },
): Stored | undefined => {
  if (type === "SenderPoolConfigured") return { pool: data as SenderPool, revision };
  return type === "SenderPoolRemoved" ? undefined : stored;
};

/** A partner sees its own of its key's environment; an operator those of gateways too, in each that the key reaches. */
const sees = (call: AnyCall, { partner_id, environment }: SenderPool): boolean =>
  partner_id === undefined
    ? call.admin && reachable(call).includes(environment)
    : partner_id === call.account && environment === call.env;

const poolsSeen = (call: AnyCall): readonly SenderPool[] =>
  environments
    .flatMap((environment) => call.context.directory.senderPools(environment, call.account))
    .filter((pool) => sees(call, pool));

async function change(
  call: AnyCall,
  id: string,
  name: "create" | "change" | "remove",
  decide: (pool: SenderPool | undefined) => Decision<PublicError>,
): Promise<{ readonly stored: Stored | undefined; readonly position: bigint | undefined }> {
  const { state, position } = await changeOnce<Stored>(call, {
    log: call.context.platformLog.forPartner(call.partner.partner_id),
    stream: streamOf("pool", id),
    name: `${name} ${id}`,
    correlation: id,
    evolve,
    decide(stored) {
      const seen = stored === undefined || sees(call, stored.pool) ? stored : undefined;
      if (seen !== undefined && name !== "create")
        requireMatch(call as Call, etagOf(seen.revision));
      return decide(seen?.pool);
    },
  });
  if (position !== undefined) await untilInEffect(call as Call, position);
  return { stored: state, position };
}

const answered = (
  status: 200 | 201,
  { stored, position }: Awaited<ReturnType<typeof change>>,
): Answer => ({
  status,
  body: senderPoolView(stored!.pool),
  etag: etagOf(stored!.revision),
  ...(position !== undefined && { position }),
});

const configuredAs = (data: EventData<"SenderPoolConfigured">) => ({
  events: [{ type: "SenderPoolConfigured", data }],
});

/** The gateway whose senders they are, and where. Throws `invalid_request`. */
function ownerOf(call: Call<CreateSenderPool, unknown>): {
  readonly environment: Environment;
  readonly owner: Pick<SenderPool, "partner_id" | "gateway_id">;
} {
  const { gateway_id, channel, environment = call.env } = call.body;
  const fault = (path: string, code: string, message: string): PublicError =>
    notValid("body", [{ path, code, message }]);
  if (gateway_id === undefined) {
    if (environment !== call.env)
      throw fault("environment", "not_allowed", "is that of the key, but for pools of gateways");
    return { environment, owner: { partner_id: call.account } };
  }
  if (!call.admin) throw fault("gateway_id", "not_allowed", "is for operators");
  if (!reachable(call).includes(environment))
    throw fault("environment", "not_allowed", "takes a live admin key");
  const gateway = call.context.directory
    .gateways(environment)
    .find((each) => each.gateway_id === gateway_id);
  if (gateway === undefined)
    throw fault("gateway_id", "not_found", `${environment} has no such gateway`);
  if (gateway.channel !== channel)
    throw fault("gateway_id", "invalid", `carries ${gateway.channel}`);
  return { environment, owner: { gateway_id } };
}

function sendersOf(
  channel: SenderPool["channel"],
  given: readonly string[],
): Pick<SenderPool, "senders" | "inboxes"> {
  const found = readSenders(channel, given);
  if ("errors" in found) throw notValid("body", found.errors);
  return found;
}

/** Two defaults of a channel would leave it to their names which one is meant. */
function requireOneDefault(pools: readonly SenderPool[], pool: SenderPool): void {
  const other = pools.find(
    (each) =>
      each.default &&
      pool.default &&
      each.pool_id !== pool.pool_id &&
      each.channel === pool.channel &&
      each.gateway_id === pool.gateway_id,
  );
  if (other !== undefined)
    throw new PublicError("conflict", `The pool ${other.name} is the default of the channel.`, {
      extra: { id: other.pool_id },
    });
}

/** Runs the change while nobody else changes pools of the same owner, and with all of them as they are: how many there are and which is the default is a rule of several streams. */
const amongSiblings = <Result>(
  { context: { platformPool, platformLog, directory } }: AnyCall,
  { environment, partner_id = "" }: Pick<SenderPool, "environment" | "partner_id">,
  work: () => Promise<Result>,
): Promise<Result> =>
  holding(platformPool, `pools ${environment} ${partner_id}`, async () => {
    await directory.caughtUp(await platformLog.head());
    return work();
  });

const siblings = (call: AnyCall, { environment, partner_id }: SenderPool): readonly SenderPool[] =>
  call.context.directory
    .senderPools(environment, call.account)
    .filter((pool) => pool.partner_id === partner_id);

async function create(call: Call<CreateSenderPool, unknown>): Promise<Answer> {
  const { name, channel, senders, default: isDefault = false } = call.body;
  const { environment, owner } = ownerOf(call);
  const read = sendersOf(channel, senders);
  const { partner_id = "", gateway_id = "" } = owner;
  const id = deterministicId("spl", environment, partner_id, gateway_id, channel, name);
  const configured_at = new Date().toISOString();
  const pool: SenderPool = {
    pool_id: id,
    environment,
    name,
    channel,
    ...owner,
    ...read,
    default: isDefault,
    configured_at,
  };
  const decide = (stored: SenderPool | undefined): Decision<PublicError> => {
    if (stored !== undefined)
      return { refusal: new PublicError("conflict", "There is a pool of the name.") };
    const others = siblings(call, pool);
    if (others.length >= mostPools)
      return { refusal: new PublicError("conflict", `There are ${mostPools} pools already.`) };
    requireOneDefault(others, pool);
    return configuredAs(pool);
  };
  const made = await amongSiblings(call, pool, () => change(call, id, "create", decide));
  return answered(201, made);
}

async function patch(call: Call<PatchSenderPool, unknown>): Promise<Answer> {
  const { senders, default: isDefault } = call.body;
  const id = idOf(call);
  const decide = (stored: SenderPool | undefined): Decision<PublicError> => {
    if (stored === undefined) return { refusal: notFound() };
    const next: SenderPool = {
      ...stored,
      ...(senders !== undefined && sendersOf(stored.channel, senders)),
      ...(isDefault !== undefined && { default: isDefault }),
    };
    // Who changes something else of one that is the default says nothing about which is.
    if (isDefault === true) requireOneDefault(siblings(call, next), next);
    return JSON.stringify(next) === JSON.stringify(stored)
      ? { events: [] }
      : configuredAs({ ...next, configured_at: new Date().toISOString() });
  };
  const made = (): ReturnType<typeof change> => change(call, id, "change", decide);
  return answered(
    200,
    isDefault === true
      ? await amongSiblings(call, (await storedOf(call, id)).pool, made)
      : await made(),
  );
}

async function remove(call: Call): Promise<Answer> {
  const removed_at = new Date().toISOString();
  const { position } = await change(call, idOf(call), "remove", (stored) => {
    if (stored === undefined) return { refusal: notFound() };
    const { pool_id, environment, partner_id } = stored;
    const whose = partner_id === undefined ? {} : { partner_id };
    const data = { pool_id, environment, ...whose, removed_at };
    return { events: [{ type: "SenderPoolRemoved", data }] };
  });
  return { status: 204, ...(position !== undefined && { position }) };
}

function idOf(call: AnyCall): string {
  const id = call.params["id"]!;
  if (!isId("spl", id)) throw notFound();
  return id;
}

function list(call: Call<undefined, z.infer<typeof SenderPoolsQuery>>): Answer {
  const page = pageOf(call, "sender-pools");
  const { channel, environment } = call.query;
  const keyOf = (pool: SenderPool): string => `${pool.environment} ${pool.name} ${pool.pool_id}`;
  const found = poolsSeen(call)
    .filter((pool) => channel === undefined || pool.channel === channel)
    .filter((pool) => environment === undefined || pool.environment === environment)
    .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  const rows = slicePage(found, page, keyOf);
  return { status: 200, body: listBody(call, "sender-pools", page, rows, keyOf, senderPoolView) };
}

/** The pool as it is, for those who see it. Throws `not_found`. */
async function storedOf(call: AnyCall, id: string): Promise<Stored> {
  let stored: Stored | undefined;
  for (const event of await call.context.platformLog.readStream(streamOf("pool", id)))
    stored = evolve(stored, event);
  if (stored === undefined || !sees(call, stored.pool)) throw notFound();
  return stored;
}

const read = async (call: Call): Promise<Answer> =>
  answered(200, { stored: await storedOf(call, idOf(call)), position: undefined });

const changing = [
  "invalid_request",
  "malformed_json",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;
const one = { etag: true, adminKeys: true, response: SenderPoolView } as const;
const write = { ...one, scope: "senders:write", mutates: true } as const;

export const senderPoolRoutes: readonly Route[] = [
  route({
    ...write,
    method: "POST",
    path: "/sender-pools",
    summary: "Make a pool of senders; messages may name it at once",
    status: 201,
    body: CreateSenderPool,
    errors: changing,
    handler: create,
  }),
  route({
    method: "GET",
    path: "/sender-pools",
    adminKeys: true,
    scope: "senders:read",
    summary: "Your pools of senders; for operators those of gateways too",
    query: SenderPoolsQuery,
    response: listOf(SenderPoolView, "SenderPoolList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    ...one,
    method: "GET",
    path: "/sender-pools/:id",
    scope: "senders:read",
    summary: "A pool of senders",
    errors: ["not_found"],
    handler: read,
  }),
  route({
    ...write,
    method: "PATCH",
    path: "/sender-pools/:id",
    summary: "Change a pool of senders; in force everywhere within a second",
    body: PatchSenderPool,
    errors: [...changing, "not_found", "precondition_failed"],
    handler: patch,
  }),
  route({
    method: "DELETE",
    path: "/sender-pools/:id",
    adminKeys: true,
    scope: "senders:write",
    summary: "Remove a pool of senders; what was accepted keeps its sender",
    mutates: true,
    etag: true,
    status: 204,
    response: undefined,
    errors: [...changing, "not_found", "precondition_failed", "overloaded"],
    handler: remove,
  }),
];
