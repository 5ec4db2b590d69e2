import { html } from "@heliograph/html";
import { goOf, navOf } from "../nav.ts";
import { base, shown, type Page } from "../page.ts";
import { table } from "../view/parts.ts";

type Shortcut = { readonly keys: readonly string[]; readonly what: string; readonly to?: string };

const general: readonly Shortcut[] = [
  { keys: ["/"], what: "Into the search of the page; where it has none, to the messages" },
  { keys: ["?"], what: "This page" },
];

export const shortcutPages: readonly Page[] = [
  {
    method: "GET",
    path: "/shortcuts",
    section: "/shortcuts",
    answer: async ({ who }) => {
      const ways = navOf(who)
        .flatMap(({ entries }) => entries)
        .flatMap(({ path, label }): Shortcut[] => {
          const letter = goOf(path);
          return letter === undefined
            ? []
            : [{ keys: ["g", letter], what: label, to: `${base}${path}` }];
        });
      return shown(
        "Keyboard shortcuts",
        html`<p>They work where scripts do, and never while you write in a field. Everything here can be reached without them.</p>
<p><label class="check" hidden><input type="checkbox" data-keys> Use shortcuts in this browser</label></p>
${table(
  "Keys and where they lead",
  [
    {
      label: "Keys",
      cell: ({ keys }: Shortcut) =>
        html`${keys.map((key, at) => html`${at > 0 && " then "}<kbd>${key}</kbd>`)}`,
    },
    {
      label: "What they do",
      cell: ({ what, to }) => (to === undefined ? what : html`<a href="${to}">${what}</a>`),
    },
  ],
  [...general, ...ways],
)}`,
      );
    },
  },
];
