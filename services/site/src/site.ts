import { hash } from "node:crypto";
import type { Asset, Entry, Origins } from "./entry.ts";
import type { Files } from "./files.ts";
import { cardPath, mark, render } from "./layout.ts";
import type { Live } from "./live.ts";
import { docsOf } from "./pages/docs.ts";
import { catalogueOf } from "./pages/catalogue.ts";
import { channelsPage } from "./pages/channels.ts";
import { evaluationOf, requested } from "./pages/evaluation.ts";
import { homeOf } from "./pages/home.ts";
import { howItWorks } from "./pages/how-it-works.ts";
import { notFound } from "./pages/not-found.ts";
import { pricing } from "./pages/pricing.ts";
import { referenceOf } from "./pages/reference.ts";
import { statusOf } from "./pages/status.ts";
import { readApi } from "./openapi.ts";
import { llms, robots, securityText, sitemap } from "./well-known.ts";

/** By path the day of the last change, a blank, and the hash of what is there since. */
export type Changes = Readonly<Record<string, string>>;

export type Site = {
  readonly origins: Origins;
  /** In the order of the sitemap. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly assets: ReadonlyMap<string, Asset>;
  /** A page as it is sent. */
  page(entry: Entry, live: Live): string;
  readonly notFound: Entry;
};

const changesFile = "services/site/src/changes.json";
/** What networks show beside a link: 1200 × 630. */
const cardFile = "services/site/src/card.png";
const styleFile = "services/site/src/style.css";

/** Every page that the sitemap names. */
export function entriesOf(files: Files, origins: Origins): readonly Entry[] {
  const api = readApi(files);
  return [
    homeOf(origins),
    howItWorks,
    channelsPage,
    pricing,
    evaluationOf(origins),
    statusOf(origins),
    ...docsOf(files, origins).entries,
    ...referenceOf(api, origins),
    ...catalogueOf(api),
  ];
}

/** What only people read in it is not sent. */
const small = (css: string): string =>
  css
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/ ?([{};,>]) ?/g, "$1")
    .replaceAll(/([{;][\w-]+): /g, "$1:")
    .replaceAll(";}", "}")
    .trim();

/** The whole site. Pages are rendered as they are asked for. */
export function buildSite(files: Files, origins: Origins): Site {
  const changes = JSON.parse(files.read(changesFile)) as Changes;
  const style = small(files.read(styleFile));
  const stylePath = `/style-${hash("sha256", style).slice(0, 8)}.css`;
  const listed = entriesOf(files, origins);
  const entries = new Map([...listed, requested].map((entry) => [entry.path, entry]));
  const dayOf = ({ path }: Entry): string | undefined => changes[path]?.split(" ")[0];
  const text = (body: () => string): Asset => ({ type: "text/plain; charset=utf-8", body });
  const twins = listed.flatMap(({ path, markdown }): [string, Asset][] =>
    markdown === undefined
      ? []
      : [[`${path}.md`, { type: "text/markdown; charset=utf-8", body: markdown }]],
  );
  return {
    origins,
    entries,
    notFound,
    assets: new Map([
      ...docsOf(files, origins).assets,
      ...twins,
      [stylePath, { type: "text/css; charset=utf-8", body: () => style }],
      [
        "/favicon.svg",
        { type: "image/svg+xml", body: () => mark.replace("currentColor", "#8b8378") },
      ],
      [cardPath, { type: "image/png", body: () => files.bytes(cardFile) }],
      ["/robots.txt", text(() => robots(origins))],
      [
        "/sitemap.xml",
        { type: "application/xml; charset=utf-8", body: () => sitemap(listed, dayOf, origins) },
      ],
      ["/llms.txt", text(() => llms(listed, origins))],
      ["/.well-known/security.txt", text(() => securityText(origins))],
    ]),
    page: (entry, live) => render(entry, live, origins, stylePath, dayOf(entry)),
  };
}
