import { isId, PublicError, streamOf } from "@heliograph/contracts";
import {
  type Answer,
  type Call,
  changeOnce,
  etagOf,
  listBody,
  listed,
  ListQuery,
  listOf,
  pageOf,
  type Route,
  route,
  TimeInput,
  timeOf,
} from "@heliograph/api";
import type { Decision } from "@heliograph/log";
import { operator } from "@heliograph/platform";
import { z } from "zod";
import {
  decideAssign,
  decideClose,
  decideConvert,
  decideErase,
  decideNote,
  type Refusal,
} from "../decide.ts";
import { type Evaluation, evolve, statuses } from "../evolve.ts";
import { destroyKeys } from "../erase.ts";
import { readEvaluation } from "../read.ts";
import { countKept, type EvaluationRow, listEvaluations } from "../tables/evaluations.ts";
import { countUntold } from "../tables/notices.ts";
import { contactOf } from "./contacts.ts";
import {
  AssignEvaluation,
  CloseEvaluation,
  ErasedEvaluation,
  EvaluationView,
  EvaluationWithNotes,
  NoteEvaluation,
  ReportView,
} from "./schema.ts";
import { fullView, viewsOf } from "./views.ts";

const notFound = (): PublicError => new PublicError("not_found", "There is no such evaluation.");

/** What a caller is told of a refusal. */
export function problemOf(refusal: Refusal): PublicError {
  switch (refusal) {
    case "not_found":
      return notFound();
    case "closed":
      return new PublicError("conflict", "The evaluation is closed.");
    case "erased":
      return new PublicError("conflict", "The visitor's data is erased.");
    case "taken":
      return new PublicError("conflict", "Somebody has taken the evaluation.");
    case "not_provisioned":
      return new PublicError("conflict", "The tenant is not there yet; try again.", {
        retryAfterSeconds: 1,
      });
    default:
      return refusal satisfies never;
  }
}

const Query = ListQuery.extend({ status: listed(statuses).optional() });

async function list(call: Call<undefined, z.infer<typeof Query>>): Promise<Answer> {
  const { status } = call.query;
  const name = `evaluations ${status?.toSorted().join() ?? ""}`;
  const page = pageOf(call, name);
  const { context } = call;
  const rows = await listEvaluations(context.platformPool, page, status);
  const { vault } = context.environments.live;
  const views = await viewsOf(
    vault,
    rows.map(({ data }) => data),
  );
  const shown = new Map(rows.map((row, index) => [row, views[index]!]));
  const keyOf = ({ position }: EvaluationRow): string => position;
  const body = listBody(call, name, page, rows, keyOf, (row) => shown.get(row)!);
  return { status: 200, body };
}

async function get(call: Call): Promise<Answer> {
  const { evaluation, notes, revision } = await find(call, call.params["id"]!);
  const { vault } = call.context.environments.live;
  const body = await fullView(vault, evaluation, notes);
  return { status: 200, body, etag: etagOf(revision) };
}

/** Throws `not_found`. */
async function find(call: Call<unknown, unknown>, id: string) {
  if (!isId("evl", id)) throw notFound();
  const { evaluation, ...rest } = await readEvaluation(call.context.platformLog, id);
  if (evaluation === undefined) throw notFound();
  return { evaluation, ...rest };
}

/** Changes an evaluation once for the call's key, and answers with what it is then. */
async function alter(
  call: Call<unknown, unknown>,
  name: string,
  decide: (state: Evaluation | undefined, now: string) => Decision<Refusal>,
): Promise<Answer> {
  const id = call.params["id"]!;
  if (!isId("evl", id)) throw notFound();
  call.concerns(id);
  const now = new Date().toISOString();
  const { position } = await changeOnce<Evaluation>(call, {
    log: call.context.platformLog,
    stream: streamOf("evaluation", id),
    name: `${name} ${id}`,
    correlation: id,
    evolve,
    decide(state) {
      const decision = decide(state, now);
      return "refusal" in decision ? { refusal: problemOf(decision.refusal) } : decision;
    },
  });
  const { evaluation, notes, revision } = await find(call, id);
  const { vault } = call.context.environments.live;
  const body = await fullView(vault, evaluation, notes);
  return { status: 200, body, etag: etagOf(revision), position };
}

function assign(call: Call<z.infer<typeof AssignEvaluation>, unknown>): Promise<Answer> {
  const contact = contactOf(call.context, call.body.contact, "contact");
  const { slack_invite_url } = call.body;
  return alter(call, "assign", (state, now) =>
    decideAssign(state, { contact, slack_invite_url }, now),
  );
}

/** Seals what a person wrote under the key of the evaluation. Throws `not_found`: nothing is sealed for what is not there. */
async function sealed(call: Call<unknown, unknown>, text: string): Promise<string> {
  const { evaluation } = await find(call, call.params["id"]!);
  if (evaluation.erased_at !== undefined) throw problemOf("erased");
  const { vault } = call.context.environments.live;
  const subject = evaluation.evaluation_id;
  return (await vault.seal({ partner: operator.partner_id, subject }))(text);
}

async function note(call: Call<z.infer<typeof NoteEvaluation>, unknown>): Promise<Answer> {
  const text = await sealed(call, call.body.text);
  return alter(call, "note", (state, now) => decideNote(state, text, now));
}

const convert = (call: Call<unknown, unknown>): Promise<Answer> =>
  alter(call, "convert", decideConvert);

async function close(call: Call<z.infer<typeof CloseEvaluation>, unknown>): Promise<Answer> {
  const { reason } = call.body;
  const text = reason === undefined ? undefined : await sealed(call, reason);
  return alter(call, "close", (state, now) => decideClose(state, text, now));
}

/** What is answered and kept names nobody, so that its key of idempotency outlives the visitor's. */
async function erase(call: Call<unknown, unknown>): Promise<Answer> {
  const id = call.params["id"]!;
  if (!isId("evl", id)) throw notFound();
  const now = new Date().toISOString();
  const { state, revision, position } = await changeOnce<Evaluation>(call, {
    log: call.context.platformLog,
    stream: streamOf("evaluation", id),
    name: `erase ${id}`,
    correlation: id,
    evolve,
    decide(evaluation) {
      const decision = decideErase(evaluation, now);
      return "refusal" in decision ? { refusal: problemOf(decision.refusal) } : decision;
    },
  });
  // At once; the reactor repeats it, should this process end here.
  await destroyKeys(call.context.environments.live.vault, id);
  const body = { id, status: "closed", erased_at: state!.erased_at };
  return { status: 200, body, etag: etagOf(revision), position };
}

const ReportQuery = z.strictObject({
  from: TimeInput.optional().meta({ description: "Inclusive; default 30 days before `to`." }),
  to: TimeInput.optional().meta({ description: "Exclusive; default now." }),
});
const reportedMs = 30 * 86_400_000;

async function report(call: Call<undefined, z.infer<typeof ReportQuery>>): Promise<Answer> {
  const now = Date.now();
  const to = timeOf(call.query.to) ?? now;
  const from = timeOf(call.query.from) ?? to - reportedMs;
  const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const counted = await countKept(call.context.platformPool, {
    ...range,
    now: new Date(now).toISOString(),
  });
  const decided = counted.kept + counted.broken;
  const kept_share = decided === 0 ? null : Math.round((counted.kept / decided) * 10_000) / 10_000;
  return { status: 200, body: { ...range, ...counted, kept_share, ...(await untoldOf(call)) } };
}

async function untoldOf({ context }: Call<undefined, unknown>): Promise<object> {
  if (context.settings.slackWebhookUrl === undefined) return { untold: 0, untold_since: null };
  const { untold, untold_since } = await countUntold(context.platformPool);
  return { untold, untold_since: untold_since?.toISOString() ?? null };
}

const changing = {
  method: "POST",
  scope: "admin",
  mutates: true,
  response: EvaluationWithNotes,
  etag: true,
  errors: ["invalid_request", "malformed_json", "not_found", "conflict", "log_unavailable"],
} as const;

export const adminRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/evaluations",
    scope: "admin",
    summary: "List evaluations, newest first",
    query: Query,
    response: listOf(EvaluationView, "EvaluationList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/admin/evaluations/report",
    scope: "admin",
    summary: "How often a person answered within the promised business day",
    query: ReportQuery,
    response: ReportView,
    errors: ["invalid_request"],
    handler: report,
  }),
  route({
    method: "GET",
    path: "/admin/evaluations/:id",
    scope: "admin",
    summary: "Get an evaluation with its notes",
    etag: true,
    response: EvaluationWithNotes,
    errors: ["not_found", "log_unavailable"],
    handler: get,
  }),
  route({
    ...changing,
    path: "/admin/evaluations/:id/assign",
    summary: "Give an evaluation to a contact; the visitor gets mail that names both",
    body: AssignEvaluation,
    handler: assign,
  }),
  route({
    ...changing,
    path: "/admin/evaluations/:id/note",
    summary: "Write a note",
    body: NoteEvaluation,
    handler: note,
  }),
  route({
    ...changing,
    path: "/admin/evaluations/:id/convert",
    summary: "The visitor became a customer",
    handler: convert,
  }),
  route({
    ...changing,
    path: "/admin/evaluations/:id/close",
    summary: "Close an evaluation; its tenant stays",
    body: CloseEvaluation,
    handler: close,
  }),
  route({
    ...changing,
    path: "/admin/evaluations/:id/erase",
    summary: "Erase what the visitor wrote of a person and the team of the visitor, for ever",
    response: ErasedEvaluation,
    handler: erase,
  }),
];
