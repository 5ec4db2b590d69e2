export { formOf, readForm, type Form, type Upload } from "./form.ts";
export { pageHeaders } from "./headers.ts";
export { html, raw, type Html, type Shown } from "./html.ts";
export { link } from "./link.ts";
export { isOwnPost } from "./own-post.ts";
export { page, type Page } from "./page.ts";
