import { html, link, page } from "../src/index.ts";

export function example(contact: { readonly name: string; readonly website: string }): string {
  const body = html`<body><main><h1><bdi>${contact.name}</bdi></h1><a href="${link(contact.website)}">Website</a></main></body>`;
  return page({ title: contact.name, styles: ["/style.css"], body });
}
