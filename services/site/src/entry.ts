import type { Html } from "@heliograph/html";
import type { Live } from "./live.ts";

/** Where things are for the outside, each without a slash at the end. */
export type Origins = {
  /** Of the canonical addresses. */
  readonly site: string;
  /** Of the API, in examples. */
  readonly api: string;
};

export type Crumb = { readonly path: string; readonly title: string };

/** A page before it is rendered. */
export type Entry = {
  /** Without a suffix and, but for the first one, without a slash at the end. */
  readonly path: string;
  readonly title: string;
  /** One sentence for search engines and lists. */
  readonly description: string;
  /** What it is made of: the page has changed when this has. */
  readonly source: string;
  /** From the first level down, without the page itself. */
  readonly crumbs?: readonly Crumb[];
  /** What it asks the platform for each time it is shown. A page without is rendered once. */
  readonly needs?: keyof Live;
  /** What stands in `<main>`, with the one heading of the first level. */
  readonly body: (live: Live) => Html;
  /** Pages beside this one. */
  readonly beside?: { readonly title: string; readonly pages: readonly Crumb[] };
  /** The twin in Markdown, at the path with `.md`. */
  readonly markdown?: () => string;
  /** Of schema.org. */
  readonly kind?: "TechArticle" | "SoftwareApplication";
};

/** A file that is no page. */
export type Asset = { readonly type: string; readonly body: () => string | Buffer };
