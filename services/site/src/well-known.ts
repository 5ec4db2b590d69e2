import type { Entry, Origins } from "./entry.ts";

/** Those that we know by name, each with rules of its own: a robot that finds its name does not read those of `*`. */
const robotNames = [
  "*",
  "Googlebot",
  "Bingbot",
  "DuckDuckBot",
  "Applebot",
  "GPTBot",
  "OAI-SearchBot",
  "ChatGPT-User",
  "Google-Extended",
  "ClaudeBot",
  "Claude-User",
  "PerplexityBot",
];
const closed = ["/api/", "/console", "/evaluations/", "/evaluation/requested", "/callbacks/"];

/**
 * Everything that is public may be read and learnt from. The same on every host: whoever may not fetch a page of a host that is not to be found does not see either that it says so.
 */
export const robots = ({ site }: Origins): string =>
  `${robotNames
    .map(
      (name) =>
        `User-agent: ${name}\n${closed.map((path) => `Disallow: ${path}\n`).join("")}Allow: /\n`,
    )
    .join("\n")}\nSitemap: ${site}/sitemap.xml\n`;

const xml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const sitemap = (
  entries: readonly Entry[],
  dayOf: (entry: Entry) => string | undefined,
  { site }: Origins,
): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n${entries
    .map((entry) => {
      const day = dayOf(entry);
      return `<url><loc>${xml(`${site}${entry.path}`)}</loc>${day === undefined ? "" : `<lastmod>${day}</lastmod>`}</url>\n`;
    })
    .join("")}</urlset>\n`;

/** llmstxt.org: what there is for a model to read, as Markdown. */
export function llms(entries: readonly Entry[], { site }: Origins): string {
  const twins = entries.filter(({ markdown }) => markdown !== undefined);
  const groups = Map.groupBy(twins, ({ beside }) => beside?.title ?? "Documentation");
  const sections = [...groups].map(
    ([title, pages]) =>
      `## ${title}\n\n${pages.map((page) => `- [${page.title}](${site}${page.path}.md): ${page.description}`).join("\n")}\n`,
  );
  return `# Heliograph

> A messaging platform over an event log: SMS, WhatsApp, e-mail and more through one REST API.

The whole API is one [OpenAPI document](${site}/schemas/openapi.json).

${sections.join("\n")}`;
}

/** RFC 9116. It ends with the tenth month after this one, so that whoever keeps it asks again, and it is the same all month. */
export function securityText({ site }: Origins, now = new Date()): string {
  const ends = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 11, 1));
  const host = new URL(site).hostname.replace(/^www\./, "");
  return `Contact: mailto:security@${host}
Expires: ${ends.toISOString()}
Preferred-Languages: en
Canonical: ${site}/.well-known/security.txt
`;
}
