import type { Entry } from "../entry.ts";
import { html } from "@heliograph/html";

export const notFound: Entry = {
  path: "/404",
  title: "There is nothing at this address",
  description: "This page of Heliograph does not exist, or has moved.",
  source: "404",
  body: () =>
    html`<h1>There is nothing at this address</h1><p class="lead">The page has moved, or the address has a slip in it.</p><ul><li><a href="/">Start</a></li><li><a href="/docs">Documentation</a></li><li><a href="/reference">API reference</a></li><li><a href="/errors">Errors</a></li></ul>`,
};
