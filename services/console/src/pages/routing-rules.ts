import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { allOf, notAll } from "../all-of.ts";
import type { Visit } from "../page.ts";
import { words } from "../view/forms.ts";
import { field } from "../view/parts.ts";
import { channels } from "./messages.ts";

export type Rule = Answers["Routing"]["rules"][number];
/** What things are called, by their ids. */
export type Names = ReadonlyMap<string, string>;
/** `more`: there are others, of which ids are shown, and taken. */
type Known = { readonly names: Names; readonly more: boolean };

export const categories = ["transactional", "marketing", "authentication"];
export const policies = [
  ["priority", "the first that is healthy"],
  ["weighted", "drawn by weight"],
  ["least_cost", "the cheapest"],
] as const;

/** So many are named in the hint of a field. */
const mostNamed = 20;

async function knownOf<Row extends { readonly id: string; readonly name: string }>(
  { api }: Visit,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Known> {
  const { data, more } = await allOf<Row>(api, path, query);
  return { names: new Map(data.map(({ id, name }) => [id, name])), more };
}

export const gatewaysOf = (visit: Visit): Promise<Known> =>
  knownOf<Answers["AdminGateway"]>(visit, "/admin/gateways", { environment: visit.environment });
export const partnersOf = (visit: Visit): Promise<Known> =>
  knownOf<Answers["Partner"]>(visit, "/admin/partners");

export const rulePath = ({ environment }: Visit): string =>
  `/admin/routing?environment=${environment}`;

const matchNames = [
  "channel",
  "country_prefix",
  "category",
  "sender",
  "sender_pool",
  "partner",
] as const;

const namesIn = ({ names, more }: Known): string => {
  const shownNames = [...names.values()].slice(0, mostNamed).join(", ");
  if (more) return `There is ${shownNames} … ${notAll} Of the others the ids are taken.`;
  return `There is ${shownNames}${names.size > mostNamed ? `, and ${names.size - mostNamed} more` : ""}.`;
};

/** The fields of one rule; of one more where there is none. */
export const ruleFields = (index: number, rule: Rule | undefined, known: Known): Html => {
  const { names } = known;
  const name = (part: string): string => `rules[${index}.${part}]`;
  const match: Readonly<Record<string, string | undefined>> = rule?.match ?? {};
  const any = (list: readonly string[]) => [["", "any"] as const, ...list];
  const of = (rule?.gateways ?? []).map((id) => names.get(id) ?? id).join(", ");
  return html`<fieldset><legend>${rule === undefined ? "One more rule" : `Rule ${index + 1}`}</legend><div class="row">
${field({ name: name("gateways"), label: "Gateways", value: of, hint: rule === undefined ? `In their order. ${namesIn(known)}` : "In their order. Left empty: the rule is taken away." })}
${field({ name: name("policy"), label: "Take", value: rule?.policy ?? "priority", options: policies })}
${field({ name: name("failover"), label: "Another when it fails", value: rule?.failover === false ? "no" : "yes", options: ["yes", "no"] })}</div><div class="row">
${field({ name: name("channel"), label: "Channel", value: match["channel"] ?? "", options: any(channels) })}
${field({ name: name("country_prefix"), label: "Number begins with", value: match["country_prefix"] ?? "", placeholder: "+48" })}
${field({ name: name("category"), label: "Category", value: match["category"] ?? "", options: any(categories) })}
${field({ name: name("sender"), label: "From", value: match["sender"] ?? "" })}
${field({ name: name("sender_pool"), label: "Pool of senders", value: match["sender_pool"] ?? "", placeholder: "spl_…" })}
${field({ name: name("partner"), label: "Partner", value: match["partner"] ?? "", placeholder: "ptn_…" })}</div></fieldset>`;
};

/** The rules that a form spells out, in its order; those without a gateway are gone. */
export function rulesIn({ form }: Visit, names: Names): readonly Rule[] {
  const ids = new Map([...names].map(([id, name]) => [name, id]));
  const fields = form.map("rules");
  const indexes = [...new Set(Object.keys(fields).map((name) => Number(name.split(".")[0])))];
  return indexes
    .toSorted((one, other) => one - other)
    .map((index) => {
      const given = (part: string): string => fields[`${index}.${part}`]?.trim() ?? "";
      return {
        match: Object.fromEntries(
          matchNames.map((part) => [part, given(part)]).filter(([, value]) => value !== ""),
        ),
        policy: given("policy"),
        gateways: words(given("gateways")).map((name) => ids.get(name) ?? name),
        failover: given("failover") !== "no",
      };
    })
    .filter(({ gateways }) => gateways.length > 0);
}
