export { html, raw, type Html, type Shown } from "./html.ts";
export { link } from "./link.ts";
export { page, type Page } from "./page.ts";
