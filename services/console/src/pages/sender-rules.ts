import { deflateRawSync, inflateRawSync } from "node:zlib";
import { hasScope } from "@heliograph/api";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, asked, checks, once, ticked } from "../view/forms.ts";
import { bdi, curl, empty, field, refusal, table } from "../view/parts.ts";

type Rules = Answers["SenderRules"];
type Rule = Answers["SenderRule"];

const section = "/routing";
const home = `${base}/routing/sender-rules`;
const put = "/admin/sender-rules";
const types = [
  ["alphanumeric", "names"],
  ["short_code", "short codes"],
  ["long_code", "long numbers"],
] as const;

/** Stored without its plus. */
const digitsOf = ({ country_prefix: prefix }: Rule): string => prefix.replace("+", "");
const pageOf = (rule: Rule): string => `${home}/${digitsOf(rule)}`;

const rulesOf = (visit: Visit) => visit.api.read<Rules>(`${put}?environment=${visit.environment}`);

/** More than a call to the platform may hold. */
const maxOutputLength = 1024 * 1024;

/** The rules as they were shown, in each form: what is made of them is the same call however often the form is posted, and goes with the version that they are of. */
const seen = (visit: Visit, { body, etag }: Awaited<ReturnType<typeof rulesOf>>) => ({
  fields: html`<input type="hidden" name="rules" value="${deflateRawSync(JSON.stringify(body.rules)).toString("base64url")}">`,
  etag,
  call: (rules: readonly Rule[]) =>
    ["PUT", put, { environment: visit.environment, rules }, etag] as const,
});

async function seenIn(visit: Visit): Promise<readonly Rule[]> {
  const packed = visit.form.text("rules");
  if (packed === "") return (await rulesOf(visit)).body.rules;
  try {
    const text = inflateRawSync(Buffer.from(packed, "base64url"), { maxOutputLength });
    return JSON.parse(text.toString()) as readonly Rule[];
  } catch {
    throw new Refused({
      status: 422,
      code: "unknown",
      title: "Not readable",
      detail: "The form came back changed. Nothing was done.",
    });
  }
}

/** Replaces all of them, by what is made of those that were shown. */
async function keep(
  visit: Visit,
  made: (rules: readonly Rule[]) => readonly Rule[],
  given: { readonly key: string; readonly ifMatch?: string },
): Promise<void> {
  const { environment, api } = visit;
  const rules = made(await seenIn(visit));
  await api.send("PUT", put, { body: { environment, rules }, ...given });
}

const takes = ({ alphanumeric, types: taken, registered, two_way: answers }: Rule): string => {
  const parts = [
    ...(alphanumeric === false ? ["no names"] : []),
    ...(taken === undefined
      ? []
      : [
          `only ${types
            .filter(([type]) => taken.includes(type))
            .map(([, words]) => words)
            .join(" and ")}`,
        ]),
    ...(registered === undefined ? [] : [`only ${registered.length} that are registered`]),
    ...(answers ? ["only numbers that can be answered"] : []),
  ];
  return parts.length === 0 ? "every sender" : parts.join(", ");
};

async function list(visit: Visit): Promise<Shown> {
  const { rules } = (await rulesOf(visit)).body;
  return shown(
    "Which senders countries take",
    html`<p>Rules for the senders of SMS, by the first digits of the number: the longest that fits counts. They are in force everywhere within a second.</p>
<div class="bar"><a class="go" href="${home}/new">Make a rule</a><a href="${base}${section}">Routing</a></div>
${
  rules.length === 0
    ? empty("No rule", "Every country takes every sender.")
    : table(
        "Rules",
        [
          {
            label: "Number begins with",
            cell: (rule: Rule) => html`<a href="${pageOf(rule)}">+${digitsOf(rule)}</a>`,
          },
          { label: "Takes", cell: takes },
          { label: "Without a sender", cell: (rule: Rule) => bdi(rule.default ?? "") },
          { label: "In place of others", cell: (rule: Rule) => bdi(rule.replacement ?? "refused") },
        ],
        rules,
      )
}
${curl(visit, "GET", `${put}?environment=${visit.environment}`)}`,
  );
}

/** What the form spells out; what is left empty is no part of the rule. */
function typedOf({ form }: Visit, prefix: string): Rule {
  const registered = form
    .text("registered")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const taken = ticked(form, "types");
  const [preset, replacement] = [form.text("default"), form.text("replacement")];
  return {
    country_prefix: prefix,
    ...(form.text("alphanumeric") === "no" && { alphanumeric: false }),
    ...(taken.length > 0 && { types: taken }),
    ...(registered.length > 0 && { registered }),
    ...(form.text("two_way") === "yes" && { two_way: true as const }),
    ...(preset !== "" && { default: preset }),
    ...(replacement !== "" && { replacement }),
  };
}

const fieldsOf = (rule: Rule): Html =>
  html`<div class="row">${field({ name: "alphanumeric", label: "Names as senders", value: rule.alphanumeric === false ? "no" : "yes", options: ["yes", "no"] })}
${field({ name: "two_way", label: "People must be able to answer", value: rule.two_way ? "yes" : "no", options: ["no", "yes"] })}</div>
${checks("Only these", "types", types, (type) => rule.types?.includes(type) ?? false, "None ticked: all of them.")}
${field({ name: "registered", label: "Only these registered senders", value: (rule.registered ?? []).join("\n"), rows: 6, hint: "One to a line. Left empty: every sender." })}
<div class="row">${field({ name: "default", label: "For messages that name no sender", value: rule.default ?? "" })}
${field({ name: "replacement", label: "In place of a sender that is not taken", value: rule.replacement ?? "", hint: "Left empty: the message is refused." })}</div>`;

async function blank(visit: Visit, problem?: Problem): Promise<Shown> {
  const read = await rulesOf(visit);
  const { fields, etag, call } = seen(visit, read);
  const { rules } = read.body;
  const prefix = visit.form.text("country_prefix");
  const taken = new Set(rules.map(digitsOf));
  let free = 1;
  while (taken.has(String(free))) free++;
  const example: Rule = { country_prefix: `+${free}`, alphanumeric: false };
  return shown(
    "Make a rule",
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${home}/new">${once(visit, etag)}${fields}
${field({ name: "country_prefix", label: "Number begins with", value: prefix, required: true, placeholder: "+48" })}
${fieldsOf(typedOf(visit, prefix))}
<div class="actions"><button class="main" type="submit">Make it</button><a href="${home}">Back to the rules</a></div></form>
${curl(visit, ...call([...rules, example]))}`,
    problem?.status,
  );
}

const create = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const rule = typedOf(visit, visit.form.text("country_prefix"));
      await keep(visit, (rules) => [...rules, rule], given);
      return { to: home, told: "The rule is in force." };
    },
    (problem) => blank(visit, problem),
  );

const isIt =
  ({ params }: Visit) =>
  (rule: Rule): boolean =>
    digitsOf(rule) === params["prefix"];

/** The one that the address names, among all. */
async function found(visit: Visit) {
  const read = await rulesOf(visit);
  const { rules } = read.body;
  const rule = rules.find(isIt(visit));
  if (rule !== undefined) return { rule, rules, ...seen(visit, read) };
  throw new Refused({
    status: 404,
    code: "not_found",
    title: "Not found",
    detail: "There is no rule for numbers that begin so.",
  });
}

async function edit(visit: Visit, problem?: Problem): Promise<Shown> {
  const { rule, rules, fields, etag, call } = await found(visit);
  const typed = problem === undefined ? rule : typedOf(visit, rule.country_prefix);
  return shown(
    `Numbers that begin with +${digitsOf(rule)}`,
    html`${problem !== undefined && refusal(problem)}<form class="sheet" method="post" action="${pageOf(rule)}">${once(visit, etag)}${fields}
${fieldsOf(typed)}
<div class="actions"><button class="main" type="submit">Keep this</button><a href="${pageOf(rule)}/delete">Remove</a></div></form>
<p><a href="${home}">Back to the rules</a></p>
${curl(visit, ...call(rules.map((each) => (each === rule ? typed : each))))}`,
    problem?.status,
  );
}

const change = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const is = isIt(visit);
      const typed = (rule: Rule): Rule => typedOf(visit, rule.country_prefix);
      await keep(visit, (rules) => rules.map((each) => (is(each) ? typed(each) : each)), given);
      return { to: home, told: "The rule is changed." };
    },
    (problem) => edit(visit, problem),
  );

async function leaving(visit: Visit, problem?: Problem): Promise<Shown> {
  const { rule, rules, fields, etag, call } = await found(visit);
  return asked(visit, {
    title: "Remove the rule",
    what: html`Numbers that begin with +${digitsOf(rule)} take every sender then, or what a rule with fewer digits says.`,
    fields,
    action: `${pageOf(rule)}/delete`,
    label: "Remove it",
    back: pageOf(rule),
    etag,
    problem,
    call: call(rules.filter((each) => each !== rule)),
  });
}

const remove = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async (given) => {
      const is = isIt(visit);
      await keep(visit, (rules) => rules.filter((each) => !is(each)), given);
      return { to: home, told: "The rule is removed." };
    },
    (problem) => leaving(visit, problem),
  );

/** The way there, for those who may go it. */
export const toSenderRules = ({ who }: Visit): Html | false =>
  hasScope(who.scopes, "admin") && html`<a href="${home}">Which senders countries take</a>`;

const path = "/routing/sender-rules";
export const senderRulePages: readonly Page[] = [
  { method: "GET", path, section, answer: list },
  { method: "GET", path: `${path}/new`, section, answer: (visit) => blank(visit) },
  { method: "POST", path: `${path}/new`, section, answer: create },
  { method: "GET", path: `${path}/:prefix`, section, answer: (visit) => edit(visit) },
  { method: "POST", path: `${path}/:prefix`, section, answer: change },
  { method: "GET", path: `${path}/:prefix/delete`, section, answer: (visit) => leaving(visit) },
  { method: "POST", path: `${path}/:prefix/delete`, section, answer: remove },
];
