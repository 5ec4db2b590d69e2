import { html, type Html } from "./html.ts";

export type Page = {
  readonly title: string;
  readonly description?: string;
  /** Addresses of stylesheets. */
  readonly styles: readonly string[];
  /** Whatever else belongs in the head. */
  readonly head?: Html;
  readonly body: Html;
  /** Of the root element, for the stylesheet to tell by. */
  readonly look?: string;
};

/** A whole document as text. */
export const page = ({ title, description, styles, head, body, look }: Page): string =>
  String(html`<!DOCTYPE html>
<html lang="en"${look !== undefined && html` data-look="${look}"`}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${description !== undefined && html`<meta name="description" content="${description}">`}
<meta name="color-scheme" content="light dark">
${styles.map((address) => html`<link rel="stylesheet" href="${address}">`)}
${head}
</head>
${body}
</html>
`);
