import { html, type Html, type Shown as Cell } from "@heliograph/html";
import type { Problem } from "../client.ts";
import { base, type Led, type Shown, type Visit } from "../page.ts";
import { acted, once } from "./forms.ts";

/** The form of one action: `path` is below `/console`. */
export const act = (
  visit: Visit,
  path: string,
  fields: Cell,
  button: string,
  {
    look = "sheet",
    etag,
  }: {
    readonly look?: "sheet" | "sheet inline" | "plain";
    readonly etag?: string | undefined;
  } = {},
): Html =>
  html`<form class="${look}" method="post" action="${base}${path}">${once(visit, etag)}
${fields}
<div class="actions"><button${look !== "plain" && html` class="main"`} type="submit">${button}</button></div></form>`;

/** See `acted`; the page says by its status too that nothing was done. */
export const tried = (
  visit: Visit,
  call: Parameters<typeof acted>[1],
  again: (problem: Problem) => Promise<Shown>,
): Promise<Led | Shown> =>
  acted(visit, call, async (problem) => ({ ...(await again(problem)), status: problem.status }));

/** What was typed; before anything was, what is there. */
export const typed = (
  { form }: Visit,
  name: string,
  there: string | number | null | undefined = "",
): string => (form.has(name) ? form.exact(name) : String(there ?? ""));

/** A number as a form has it; an empty field is none, and what is no number goes as it is, so that the platform says what is wrong. */
export function numberIn({ form }: Visit, name: string): number | string | null {
  const text = form.text(name);
  return text === "" ? null : /^\d{1,15}$/.test(text) ? Number(text) : text;
}
