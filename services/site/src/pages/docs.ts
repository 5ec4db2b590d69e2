import { dirname, join } from "node:path/posix";
import type { Asset, Crumb, Entry, Origins } from "../entry.ts";
import type { Files } from "../files.ts";
import { firstWords, relink, toMarkup, type Follow } from "../markdown.ts";
import { raw } from "@heliograph/html";

/** The folders of `docs/`, in the order of its index. Each has a page that lists its own. */
const folders: Readonly<Record<string, { readonly title: string; readonly description: string }>> =
  {
    concepts: {
      title: "Concepts",
      description: "How Heliograph works, and why it can be relied on.",
    },
    guides: { title: "Guides", description: "How to do one thing with Heliograph, step by step." },
    operating: {
      title: "Operating",
      description: "How to run Heliograph, and what to do at night.",
    },
    reference: {
      title: "Reference",
      description: "What exactly a field, a code or an event of Heliograph is.",
    },
    decisions: {
      title: "Decisions",
      description:
        "Why Heliograph is as it is and not otherwise, with the options that were measured.",
    },
  };

type Document = {
  /** From the root of the repository. */
  readonly file: string;
  readonly path: string;
  readonly title: string;
  readonly text: string;
  readonly folder: string | undefined;
};

const pathOf = (file: string): string => `/${file.replace(/(?:\/README)?\.md$/, "")}`;

function documentOf(file: string, text: string): Document {
  const [, folder] = /^docs\/([^/]+)\//.exec(file) ?? [];
  const title = /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? file;
  return { file, path: pathOf(file), title, text, folder };
}

/** What is shown beside the documents: examples in other languages, and the schemas that were made from the source. */
const shown = /^(?:docs\/examples\/.+\.(?:mjs|py|java|xml)|schemas\/.+\.json)$/;

/**
 * Where a link of a document leads: to a page, an example or a schema of the site, or to another site. Everything else is in the repository alone.
 * `suffix` is what the address of a page ends with.
 */
const following =
  (from: string, pages: ReadonlyMap<string, string>, site: string, suffix: string): Follow =>
  (href) => {
    if (/^https?:/.test(href)) return href;
    const [to = "", anchor] = href.split("#");
    const hash = anchor === undefined ? "" : `#${anchor}`;
    if (to === "") return suffix === "" ? hash : undefined;
    const file = join(dirname(from), to).replace(/\/$/, "");
    const page = pages.get(file);
    if (page !== undefined) return `${site}${page}${suffix}${suffix === "" ? hash : ""}`;
    return shown.test(file) ? `${site}/${file}` : undefined;
  };

const types: Readonly<Record<string, string>> = {
  json: "application/json",
  xml: "text/xml; charset=utf-8",
};

export type Docs = {
  readonly entries: readonly Entry[];
  readonly assets: ReadonlyMap<string, Asset>;
};

const docsCrumb: Crumb = { path: "/docs", title: "Docs" };

/** All of `docs/`, with an index for each of its folders. */
export function docsOf(files: Files, { site }: Origins): Docs {
  const documents = files.list("docs/**/*.md").map((file) => documentOf(file, files.read(file)));
  const indexes = Object.keys(folders).map((folder) => `docs/${folder}`);
  const pages = new Map([
    ...documents.map(({ file, path }) => [file, path] as const),
    ...indexes.map((file) => [file, `/${file}`] as const),
  ]);
  const inFolder = (folder: string): readonly Document[] =>
    documents.filter((document) => document.folder === folder);
  const lists = Object.entries(folders).map(([folder, { title, description }]) =>
    documentOf(
      `docs/${folder}/README.md`,
      `# ${title}\n\n${description}\n\n${inFolder(folder)
        .map(
          (each) => `- [${each.title}](${each.file.split("/").at(-1)}): ${firstWords(each.text)}`,
        )
        .join("\n")}\n`,
    ),
  );
  const entries = [...documents, ...lists].map((document) =>
    entryOf(document, inFolder(document.folder ?? ""), pages, site),
  );
  const assets = [...files.list("docs/examples/**/*.*"), ...files.list("schemas/**/*.json")]
    .filter((file) => shown.test(file))
    .map((file): [string, Asset] => {
      const type = types[file.split(".").at(-1)!] ?? "text/plain; charset=utf-8";
      return [`/${file}`, { type, body: () => files.read(file) }];
    });
  return { entries, assets: new Map(assets) };
}

function entryOf(
  { file, path, title, text, folder }: Document,
  neighbours: readonly Document[],
  pages: ReadonlyMap<string, string>,
  site: string,
): Entry {
  const list = folder === undefined ? undefined : folders[folder];
  const words = firstWords(text);
  const isList = path === `/docs/${folder}`;
  const crumbs = [
    ...(path === "/docs" ? [] : [docsCrumb]),
    ...(list === undefined || isList ? [] : [{ path: `/docs/${folder}`, title: list.title }]),
  ];
  const around = Object.entries(folders).map(([name, { title: label }]): Crumb => ({
    path: `/docs/${name}`,
    title: label,
  }));
  return {
    path,
    title: path === "/docs" ? "Documentation" : title,
    description:
      words.length >= 20 ? words : `${title}: a page of the documentation of Heliograph.`,
    source: text,
    crumbs,
    kind: "TechArticle",
    beside:
      list === undefined
        ? { title: "Documentation", pages: [docsCrumb, ...around] }
        : { title: list.title, pages: neighbours },
    body: () => raw(toMarkup(text, following(file, pages, "", ""))),
    markdown: () => relink(text, following(file, pages, site, ".md")),
  };
}
