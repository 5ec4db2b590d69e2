import { PublicError, streamOf, uuid7 } from "@heliograph/contracts";
import { type Answer, type Call, type Route, route } from "@heliograph/api";
import { html, raw } from "@heliograph/html";
import { change } from "@heliograph/log";
import { operator } from "@heliograph/platform";
import { decideTake, type Refusal } from "../decide.ts";
import { type Contact, type Evaluation, evolve, statusOf } from "../evolve.ts";
import { readTakeToken } from "../links.ts";
import { readEvaluation } from "../read.ts";
import { rotaOf } from "../rota.ts";
import { also, formOf, noLink, ofForms, ofPages, Page, page } from "./html.ts";
import { SlackInvite } from "./schema.ts";

/** The evaluation of the team's link, or the page that says why there is none to take. */
async function openTake(
  call: Call<unknown, unknown>,
): Promise<{ readonly evaluation: Evaluation } | Answer> {
  const { masterKey, platformLog } = call.context;
  const id = readTakeToken(masterKey, call.params["token"]!);
  if (id === undefined) return noLink();
  const { evaluation } = await readEvaluation(platformLog, id);
  if (evaluation === undefined) return noLink();
  return statusOf(evaluation) === "requested" || statusOf(evaluation) === "provisioned"
    ? { evaluation }
    : taken(evaluation);
}

const taken = ({ contact, closed_at }: Evaluation): Answer =>
  closed_at === undefined
    ? page(
        410,
        "Somebody has taken it",
        html`<p>The contact is <bdi>${contact?.name}</bdi>. Only an operator can give it to somebody else.</p>`,
      )
    : page(410, "The evaluation is closed", html`<p>There is nothing to take.</p>`);

/** Who may take an evaluation by the link: the rota, and the operators. Whoever got hold of the link introduces no stranger to the visitor. */
async function takers({ context }: Call<unknown, unknown>): Promise<readonly Contact[]> {
  const { contacts } = await rotaOf(context.platformLog);
  const operators = context.directory
    .agentsOf(operator.partner_id)
    .filter(({ status }) => status === "active")
    .map(({ name, email, agent_id }) => ({ name, email, agent_id }));
  return [...new Map([...contacts, ...operators].map((each) => [each.email, each])).values()];
}

async function showTake(call: Call): Promise<Answer> {
  const found = await openTake(call);
  return "status" in found ? found : takePage(call, found.evaluation, 200);
}

async function takePage(
  call: Call<unknown, unknown>,
  evaluation: Evaluation,
  status: number,
  fault?: string,
): Promise<Answer> {
  const options = (await takers(call)).map(
    ({ name, email }) =>
      html`<option value="${email}"${email === evaluation.contact?.email && raw(" selected")}>${name} &lt;${email}&gt;</option>`,
  );
  return page(
    status,
    "Take the evaluation",
    html`<p>Of <bdi>${evaluation.company}</bdi>. The visitor gets mail that names the contact.</p>
${fault !== undefined && html`<p role="alert">${fault}</p>`}
<form method="post">
<p><label>Contact <select name="contact" required>${options}</select></label></p>
<p><label>Invitation to a private Slack channel, if there is one <input name="slack_invite_url" type="url" maxlength="500"></label></p>
<p><button>Take it</button></p>
</form>`,
  );
}

async function take(call: Call): Promise<Answer> {
  const form = await formOf(call);
  const found = await openTake(call);
  if ("status" in found) return found;
  const { evaluation } = found;
  const contact = (await takers(call)).find(({ email }) => email === form.text("contact"));
  if (contact === undefined) return takePage(call, evaluation, 422, "Choose a contact.");
  const url = form.text("slack_invite_url");
  const invite = url === "" ? undefined : SlackInvite.safeParse(url);
  if (invite?.success === false)
    return takePage(
      call,
      evaluation,
      422,
      "The invitation must be an https:// address of slack.com.",
    );
  const id = evaluation.evaluation_id;
  const changed = await change<Evaluation, Refusal>(call.context.platformLog, {
    stream: streamOf("evaluation", id),
    eventId: uuid7(),
    // Who has the link is one of the team's channel; who it says it is, is the contact.
    metadata: call.metadata({ partner: operator.partner_id, actor: "team link", correlation: id }),
    evolve,
    decide: (state) =>
      decideTake(state, { contact, slack_invite_url: invite?.data }, new Date().toISOString()),
  });
  if (changed.kind === "refused")
    return taken((await readEvaluation(call.context.platformLog, id)).evaluation!);
  if (changed.kind === "contended") throw new PublicError("conflict", "Try again.");
  return page(
    200,
    "It is yours",
    html`<p>The visitor gets mail that names <bdi>${contact.name}</bdi>.</p>`,
  );
}

export const takeRoutes: readonly Route[] = [
  route({
    ...ofPages,
    method: "GET",
    path: "/evaluations/take/:token",
    summary: "The page of the team's link to an evaluation",
    handler: showTake,
  }),
  route({
    ...ofPages,
    method: "POST",
    path: "/evaluations/take/:token",
    summary: "Take an evaluation by the team's link: the first who comes",
    mutates: true,
    idempotency: "none",
    ...ofForms,
    also: { ...also, 422: { description: "A field is not valid.", response: Page } },
    errors: ["log_unavailable", "conflict"],
    handler: take,
  }),
];
