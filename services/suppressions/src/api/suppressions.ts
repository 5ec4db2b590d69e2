import {
  type Answer,
  type Call,
  type Route,
  changeOnce,
  etagOf,
  keyReused,
  listBody,
  listOf,
  notValid,
  pageOf,
  requireMatch,
  requireSameRequest,
  route,
  tooManyChanges,
} from "@heliograph/api";
import { channelModule, externalIdName } from "@heliograph/channels";
import { type Channel, PublicError, channels, isId, streamOf } from "@heliograph/contracts";
import {
  type Suppression,
  type SuppressionPeriod,
  coveredBy,
  decideEnd,
  decideStart,
  evolveSuppression,
  suppressionName,
} from "@heliograph/domain";
import { change, type Metadata } from "@heliograph/log";
import { erasedText } from "@heliograph/vault";
import { place, placeOf } from "../placed.ts";
import { recipientOf } from "../seal.ts";
import { type PeriodRow, listPeriods } from "../tables/periods.ts";
import {
  CreateSuppression,
  SuppressionView,
  SuppressionsQuery,
  type CreateSuppression as Create,
  type SuppressionsQuery as Query,
} from "./schema.ts";

const notFound = (): PublicError => new PublicError("not_found", "There is no such suppression.");

const periodView = ({ started, ended }: SuppressionPeriod): Omit<PeriodRow, "position"> => ({
  id: started.suppression_id,
  channel: started.channel,
  to: started.to,
  applies_to: started.applies_to,
  reason: started.reason,
  evidence: started.evidence,
  started_at: started.started_at,
  ended_at: ended?.ended_at ?? null,
});

/** A period as it is answered, opened. An answer that a key keeps goes with the contact who has the address. */
async function shown(call: Call<unknown, unknown>, period: SuppressionPeriod): Promise<object> {
  const { vault } = call.deps;
  const partner = call.partner.partner_id;
  const sealed = periodView(period);
  const view = (await vault.open(partner, sealed))(sealed);
  call.concerns(externalIdName(vault, partner, { source: view.channel, id: view.to }));
  return view;
}

const byId =
  (id: string) =>
  ({ started }: SuppressionPeriod): boolean =>
    started.suppression_id === id;

/** Starts a period of reason `manual`; one that is active and stops as much is the answer in its place. */
async function create(call: Call<Create, unknown>): Promise<Answer> {
  const { channel, applies_to = "all", note } = call.body;
  const read = channelModule(channel).recipient(call.body.to);
  if (read.kind === "fault")
    throw notValid("body", [{ path: "to", code: read.code, message: read.message }]);
  const partner = call.partner.partner_id;
  const { name, seal } = await recipientOf(call.deps.vault, {
    partner,
    channel,
    to: read.value.to,
  });
  const id = call.derivedId("sup");
  const wanted = {
    suppression_id: id,
    name,
    channel,
    to: seal(read.value.to),
    applies_to,
    reason: "manual" as const,
    evidence: { ...(note !== undefined && { text: seal(note) }) },
    started_at: call.timestamp(),
  };
  const { fingerprint, ...metadata } = call.metadata({ correlation: id });
  const placed = await place(call.deps.log, id, name, metadata);
  // The id follows from the key alone, and would lead to the first address.
  if (placed.name !== name) throw keyReused(placed.metadata.request_id ?? "an earlier one");
  const result = await change<Suppression>(call.deps.log, {
    stream: streamOf("suppression", name),
    eventId: call.eventId("start"),
    // What was asked names the address: its hash is sealed like the address itself.
    metadata: { ...metadata, ...(fingerprint !== undefined && { fingerprint: seal(fingerprint) }) },
    evolve: evolveSuppression,
    decide: (periods = []) => ({ events: decideStart(periods, wanted) }),
  });
  if (result.kind === "contended" || result.kind === "refused") throw tooManyChanges();
  if (result.kind === "changed") await requireOwn(call, result.first);
  const { state = [], position } = result;
  const period = state.find(byId(id)) ?? coveredBy(state, wanted)!;
  return { status: 201, body: await shown(call, period), position };
}

/** Throws `idempotency_key_reused` when another request with the key began the period, and `contact_erased` where nobody can tell any more. */
async function requireOwn(
  call: Call<unknown, unknown>,
  { metadata }: { readonly metadata: Metadata },
): Promise<void> {
  const opened = (await call.deps.vault.open(call.partner.partner_id, metadata))(metadata);
  if (opened.fingerprint === erasedText)
    throw new PublicError("contact_erased", "The contact that this key was used for was erased.");
  requireSameRequest({ metadata: opened }, call.fingerprint);
}

async function nameOf(call: Call<unknown, unknown>): Promise<string> {
  const id = call.params["id"]!;
  const name = isId("sup", id)
    ? await placeOf(call.deps.log, call.partner.partner_id, id)
    : undefined;
  if (name === undefined) throw notFound();
  return name;
}

/** The tag of a period: it changes once, when it ends. */
const tagOf = ({ ended }: SuppressionPeriod): string => etagOf(ended === undefined ? 0 : 1);

async function get(call: Call<undefined, unknown>): Promise<Answer> {
  const name = await nameOf(call);
  let periods: Suppression = [];
  for await (const event of call.deps.log.scanStream(streamOf("suppression", name)))
    periods = evolveSuppression(periods, event);
  const period = periods.find(byId(call.params["id"]!));
  if (period === undefined) throw notFound();
  return {
    status: 200,
    body: await shown(call, period),
    etag: tagOf(period),
  };
}

/** Ends a period, whatever began it. One that is over stays as it was. */
async function end(call: Call<undefined, unknown>): Promise<Answer> {
  const id = call.params["id"]!;
  const name = await nameOf(call);
  const endedAt = call.timestamp();
  const { state = [], position } = await changeOnce<Suppression>(call, {
    stream: streamOf("suppression", name),
    name: `end ${id}`,
    correlation: id,
    evolve: evolveSuppression,
    decide: (periods = []) => {
      const period = periods.find(byId(id));
      if (period === undefined) return { refusal: notFound() };
      requireMatch(call, tagOf(period));
      return {
        events: decideEnd(periods, ({ suppression_id }) => suppression_id === id, {
          reason: "manual",
          evidence: {},
          ended_at: endedAt,
        }),
      };
    },
  });
  const period = state.find(byId(id))!;
  return { status: 200, body: await shown(call, period), position, etag: tagOf(period) };
}

/** The names that an address has on the channels whose address it could be. Throws `invalid_request` when it is none. */
function namesOf(call: Call<unknown, Query>): readonly string[] | undefined {
  const { to, channel } = call.query;
  if (to === undefined) return undefined;
  const { vault } = call.deps;
  // No address holds a blank: one that does was a plus before the query was decoded.
  const address = to.replaceAll(" ", "+");
  const names = (channel === undefined ? channels : [channel]).flatMap((each: Channel) => {
    const read = channelModule(each).recipient(address);
    return read.kind === "read"
      ? [suppressionName(vault, call.partner.partner_id, each, read.value.to)]
      : [];
  });
  if (names.length === 0)
    throw notValid("query", [{ path: "to", code: "invalid_value", message: "is no address" }]);
  return names;
}

async function list(call: Call<undefined, Query>): Promise<Answer> {
  const { channel, to, active } = call.query;
  const names = namesOf(call);
  const name = `suppressions ${channel ?? ""} ${to ?? ""} ${active ?? ""}`;
  const page = pageOf(call, name);
  // The list runs from new to old: what comes after a cursor lies before its position.
  const rows = await listPeriods(call.deps.projectionPool, {
    partner: call.partner.partner_id,
    limit: page.limit + 1,
    ...(channel !== undefined && { channel }),
    ...(names !== undefined && { names }),
    ...(active !== undefined && { active: active === "true" }),
    ...(page.before !== undefined && { after: page.before }),
    ...(page.after !== undefined && { before: page.after }),
  });
  const open = await call.deps.vault.open(call.partner.partner_id, rows);
  const show = ({ position: _, ...period }: PeriodRow): object => open(period);
  return { status: 200, body: listBody(call, name, page, rows, (row) => row.position, show) };
}

const changeErrors = [
  "invalid_request",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

export const suppressionRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/suppressions",
    scope: "suppressions:read",
    summary: "List suppressions, newest first",
    projection: "suppressions",
    query: SuppressionsQuery,
    response: listOf(SuppressionView, "SuppressionList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "POST",
    path: "/suppressions",
    scope: "suppressions:write",
    summary: "Send nothing to a recipient from now on",
    mutates: true,
    evenSuspended: true,
    status: 201,
    body: CreateSuppression,
    response: SuppressionView,
    errors: ["malformed_json", "contact_erased", ...changeErrors],
    handler: create,
  }),
  route({
    method: "GET",
    path: "/suppressions/:id",
    folded: true,
    scope: "suppressions:read",
    summary: "Get a suppression, now or as of an earlier position or time",
    asOf: true,
    etag: true,
    response: SuppressionView,
    errors: ["not_found"],
    handler: get,
  }),
  route({
    method: "DELETE",
    path: "/suppressions/:id",
    scope: "suppressions:write",
    summary: "End a suppression, whatever began it",
    mutates: true,
    etag: true,
    response: SuppressionView,
    errors: ["not_found", "precondition_failed", "contact_erased", ...changeErrors],
    handler: end,
  }),
];
