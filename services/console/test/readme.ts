// What the README shows, compiled.
import { html } from "@heliograph/html";
import { shown, type Page } from "../src/page.ts";
import { bdi } from "../src/view/parts.ts";

export const page: Page = {
  method: "GET",
  path: "/hello",
  section: "",
  answer: async ({ api }) => {
    const me = await api.get<{ name: string }>("/me");
    return shown("Hello", html`<p>${bdi(me.name)}</p>`);
  },
};
