import { createHash, randomUUID } from "node:crypto";
import { html, type Html, type Shown as Cell, type Form } from "@heliograph/html";
import { Refused, type Problem } from "../client.ts";
import { base, shown, type Led, type Shown, type Visit } from "../page.ts";
import { curl, hidden, refusal } from "./parts.ts";

/** The hidden fields of a form that changes something: ours, and the key that makes one change of it, however often it is posted. */
export const once = (visit: Visit, etag?: string, key: string = randomUUID()): Html =>
  html`${hidden(visit)}<input type="hidden" name="key" value="${key}">${etag !== undefined && html`<input type="hidden" name="etag" value="${etag}">`}`;

type Button = {
  readonly fields?: Readonly<Record<string, string>>;
  /** Which of several, for those who hear it without its row. */
  readonly about?: string;
  readonly etag?: string | undefined;
};

/** A form that is one button. */
export const button = (
  visit: Visit,
  action: string,
  label: string,
  { fields = {}, about, etag }: Button = {},
): Html =>
  html`<form method="post" action="${action}">${once(visit, etag)}${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}<button type="submit"${about !== undefined && html` aria-label="${label} ${about}"`}>${label}</button></form>`;

export const keyOf = (form: Form): string => form.text("key") || randomUUID();

/**
 * A page with a form that sends, under an address that has the key of the form: whoever goes back to it and sends again what is still in it finds the key that it went with, without scripts and whatever
 * the browser keeps. `at` is below `/console`.
 */
export const keyed = (
  { query }: Visit,
  at: string,
  answer: () => Promise<Shown> | Shown,
): Promise<Shown> | Shown | Led => {
  if (query.text("key") !== "") return answer();
  const given = new URLSearchParams(Object.fromEntries(query.entries()));
  given.set("key", randomUUID());
  return { to: `${base}${at}?${given.toString()}` };
};

/** The key of what a form says now: the same while it says the same, another once something in it was changed. */
export const keyOfWords = (form: Form, body: unknown): string =>
  createHash("sha256")
    .update(`${keyOf(form)}\n${JSON.stringify(body)}`)
    .digest("base64url");

/** A field of a browser names minutes without a zone: they are meant in UTC, as every time here. */
export const moment = (text: string): string =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text)
    ? `${text}:00Z`
    : /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text)
      ? `${text}Z`
      : text;

/** What every call of a form goes with: its key, and the version that it was shown with. */
type Given = { readonly key: string; readonly ifMatch?: string };

/** What a form asks for. Where the platform refuses it, the page again, with the platform's words beside what was typed. */
export async function acted(
  { form }: Visit,
  call: (given: Given) => Promise<Led>,
  again: (problem: Problem) => Promise<Shown> | Shown,
): Promise<Shown | Led> {
  try {
    const etag = form.text("etag");
    return await call({ key: keyOf(form), ...(etag !== "" && { ifMatch: etag }) });
  } catch (error) {
    if (!(error instanceof Refused) || [403, 404].includes(error.problem.status)) throw error;
    return again(error.problem);
  }
}

/** A set of things to tick: `name[value]`, so that each is a field of its own. */
export const checks = (
  legend: string,
  name: string,
  options: readonly (readonly [value: string, label: Cell])[],
  chosen: (value: string) => boolean,
  hint?: Cell,
): Html =>
  html`<fieldset class="checks"><legend>${legend}</legend>${hint !== undefined && hint !== false && html`<p class="hint">${hint}</p>`}<div>${options.map(
    ([value, label]) =>
      html`<label class="check"><input type="checkbox" name="${name}[${value}]" value="1"${chosen(value) && html` checked`}> <span>${label}</span></label>`,
  )}</div></fieldset>`;

/** What was ticked. */
export const ticked = (form: Form, name: string): readonly string[] => Object.keys(form.map(name));

/** Words between commas, blanks or line ends. */
export const words = (text: string): readonly string[] =>
  text.split(/[\s,;]+/).filter((word) => word !== "");

type Question = {
  readonly title: string;
  /** What will happen, and what will not. */
  readonly what: Cell;
  /** What is still to be filled in. */
  readonly fields?: Html;
  readonly action: string;
  readonly label: string;
  readonly back: string;
  readonly etag?: string | undefined;
  readonly problem?: Problem | undefined;
  /** The same for a terminal. */
  readonly call: readonly [
    method: string,
    path: string,
    body?: unknown,
    ifMatch?: string | undefined,
  ];
};

/** A page that asks before something is done that cannot be undone. */
export const asked = (
  visit: Visit,
  { title, what, fields, action, label, back, etag, problem, call }: Question,
): Shown =>
  shown(
    title,
    html`${problem !== undefined && refusal(problem)}<form class="sheet grave" method="post" action="${action}">${once(visit, etag)}<p>${what}</p>${fields}
<div class="actions"><button class="grave" type="submit">${label}</button><a href="${back}">Leave it as it is</a></div></form>
${curl(visit, ...call)}`,
    problem?.status,
  );
