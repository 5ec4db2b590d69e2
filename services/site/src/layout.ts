import { html, page, raw, type Html } from "@heliograph/html";
import type { Crumb, Entry, Origins } from "./entry.ts";
import type { Live } from "./live.ts";

const places: readonly Crumb[] = [
  { path: "/how-it-works", title: "How it works" },
  { path: "/channels", title: "Channels" },
  { path: "/pricing", title: "Pricing" },
  { path: "/docs", title: "Docs" },
  { path: "/reference", title: "API" },
];
const below: readonly { readonly title: string; readonly pages: readonly Crumb[] }[] = [
  {
    title: "Product",
    pages: [...places.slice(0, 3), { path: "/evaluation", title: "Evaluation" }],
  },
  {
    title: "Build",
    pages: [
      { path: "/docs/guides/first-message", title: "First message" },
      { path: "/docs/guides", title: "Guides" },
      { path: "/reference", title: "API reference" },
      { path: "/errors", title: "Errors" },
      { path: "/events", title: "Events" },
    ],
  },
  {
    title: "Run",
    pages: [
      { path: "/status", title: "Status" },
      { path: "/docs/operating", title: "Operating" },
      { path: "/docs/performance", title: "Performance" },
      { path: "/docs/concepts/guarantees", title: "Guarantees" },
    ],
  },
];

/** A sun whose light a mirror throws on. */
export const mark = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" fill="none" aria-hidden="true"><circle cx="8" cy="8" r="4" fill="#e8912d"/><path d="M3 21 21 3" stroke="currentColor" stroke-width="2.5" stroke-linecap="round"/><path d="m12.5 17.5 8 2.5M15.5 14.500 21 16" stroke="#e8912d" stroke-width="2" stroke-linecap="round"/></svg>`;

/** JSON inside an element whose text ends at the first `</script`: no `<` of a title may be one. The value is the same when it is parsed. */
export const jsonLd = (value: object): Html =>
  raw(
    `<script type="application/ld+json">${JSON.stringify(value).replaceAll("<", "\\u003c")}</script>`,
  );

function dataOf(entry: Entry, { site }: Origins, lastmod: string | undefined): object {
  const url = `${site}${entry.path}`;
  const crumbs = [{ path: "/", title: "Heliograph" }, ...(entry.crumbs ?? []), entry];
  return {
    "@context": "https://schema.org",
    "@graph": [
      {
        "@type": entry.kind ?? "WebPage",
        "@id": url,
        url,
        [entry.kind === undefined ? "name" : "headline"]: entry.title,
        ...(entry.kind === "SoftwareApplication" && {
          name: "Heliograph",
          applicationCategory: "CommunicationApplication",
          operatingSystem: "Linux",
        }),
        description: entry.description,
        inLanguage: "en",
        ...(lastmod !== undefined && { dateModified: lastmod }),
      },
      ...(entry.path === "/"
        ? []
        : [
            {
              "@type": "BreadcrumbList",
              itemListElement: crumbs.map(({ path, title }, index) => ({
                "@type": "ListItem",
                position: index + 1,
                name: title,
                item: `${site}${path}`,
              })),
            },
          ]),
    ],
  };
}

export const cardPath = "/card.png";

const head = (entry: Entry, origins: Origins, lastmod: string | undefined): Html => {
  const url = `${origins.site}${entry.path}`;
  return html`<link rel="canonical" href="${url}"><link rel="icon" href="/favicon.svg" type="image/svg+xml">${
    entry.markdown &&
    html`<link rel="alternate" type="text/markdown" href="${origins.site}${entry.path}.md">`
  }<meta property="og:type" content="${entry.kind === "TechArticle" ? "article" : "website"}"><meta property="og:site_name" content="Heliograph"><meta property="og:title" content="${entry.title}"><meta property="og:description" content="${entry.description}"><meta property="og:url" content="${url}"><meta property="og:image" content="${origins.site}${cardPath}"><meta property="og:image:width" content="1200"><meta property="og:image:height" content="630"><meta property="og:image:alt" content="Heliograph: messages over every channel, and the proof of each of them"><meta name="twitter:card" content="summary_large_image">${jsonLd(dataOf(entry, origins, lastmod))}`;
};

const isAt = (path: string, place: string): boolean =>
  path === place || path.startsWith(`${place}/`);

const link = ({ path, title }: Crumb, at: string): Html =>
  html`<li><a href="${path}"${path === at && raw(' aria-current="page"')}>${title}</a></li>`;

const top = (at: string): Html =>
  html`<a class="skip" href="#main">Skip to the content</a><header class="top"><div class="wide"><a class="brand" href="/"${at === "/" && raw(' aria-current="page"')}>${raw(mark)}Heliograph</a><nav aria-label="Site"><ul>${places.map(
    ({ path, title }) =>
      html`<li><a href="${path}"${isAt(at, path) && raw(at === path ? ' aria-current="page"' : ' aria-current="true"')}>${title}</a></li>`,
  )}</ul></nav><div class="acts"><a href="/console">Console</a><a class="button" href="/evaluation">Evaluate</a></div></div></header>`;

const foot = (at: string): Html =>
  html`<footer class="foot"><div class="wide"><p class="brand">${raw(mark)}Heliograph</p>${below.map(
    ({ title, pages }) =>
      html`<nav aria-label="${title}"><p>${title}</p><ul>${pages.map((each) => link(each, at))}</ul></nav>`,
  )}</div></footer>`;

const trail = (crumbs: readonly Crumb[]): Html =>
  html`<nav class="trail" aria-label="Where you are"><ol>${crumbs.map((each) => link(each, ""))}</ol></nav>`;

/** A whole page. */
export function render(
  entry: Entry,
  live: Live,
  origins: Origins,
  style: string,
  lastmod: string | undefined,
): string {
  const { path, title, description, crumbs = [], beside } = entry;
  const main = html`<main id="main">${crumbs.length > 0 && trail(crumbs)}${entry.body(live)}</main>`;
  const body =
    beside === undefined
      ? html`<div class="page">${main}</div>`
      : html`<div class="page wide beside">${main}<nav class="side" aria-label="${beside.title}"><p>${beside.title}</p><ul>${beside.pages.map((each) => link(each, path))}</ul></nav></div>`;
  return page({
    title: path === "/" ? `Heliograph: ${title}` : `${title} · Heliograph`,
    description,
    styles: [style],
    head: head(entry, origins, lastmod),
    body: html`<body>${top(path)}${body}${foot(path)}</body>`,
  });
}
