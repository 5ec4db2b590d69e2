import { html as tag, raw as unescaped } from "hono/html";

declare const made: unique symbol;
/** Markup: what a template gave, and nothing else. `String(…)` of it is the text; it is no string by itself. */
export type Html = { readonly [made]: true; toString(): string };

/** What a template may show: text is escaped, markup stands as it is, `undefined`, `null` and `false` show nothing. */
export type Shown = string | number | bigint | Html | undefined | null | false | readonly Shown[];

/**
 * A template that escapes what is put into it. Put attributes into quotes, and addresses through `link`. Views have their data before they begin: nothing here waits.
 */
export const html = (strings: TemplateStringsArray, ...values: readonly Shown[]): Html =>
  tag(strings, ...values.map(plain)) as unknown as Html;

/** The tag knows no bigint. */
const plain = (value: Shown): unknown =>
  typeof value === "bigint" ? String(value) : Array.isArray(value) ? value.map(plain) : value;

/** Markup that we wrote ourselves; never what somebody gave. */
export const raw = (ours: string): Html => unescaped(ours) as unknown as Html;
