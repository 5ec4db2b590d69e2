import { hash } from "node:crypto";
import type { Files } from "./files.ts";
import { entriesOf, type Changes } from "./site.ts";

/** Any will do, as long as it is always this one. */
const origins = { site: "https://heliograph.example", api: "https://heliograph.example" };

/**
 * `changes.json`: for each page the day on which what it is made of became what it is. A page that is as it was keeps its day, so equal trees give equal sitemaps wherever and
 * whenever they are built, with a history or without.
 */
export function changesOf(files: Files, before: Changes, today: string): string {
  const lines = entriesOf(files, origins)
    .map(({ path, title, description, source }) => {
      const print = hash("sha256", `${title}\n${description}\n${source}`).slice(0, 12);
      const [day, known] = before[path]?.split(" ") ?? [];
      return `  "${path}": "${known === print ? day : today} ${print}"`;
    })
    .toSorted();
  return `{\n${lines.join(",\n")}\n}\n`;
}
