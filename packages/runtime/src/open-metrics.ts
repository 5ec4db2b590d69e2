import { exemplarOf } from "./exemplars.ts";

export const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/**
 * Whether whoever sent this `Accept` would rather have OpenMetrics than the text format, as Prometheus says it: by the quality of each, and OpenMetrics where they are equal. What is
 * not named at all is not wanted: a wildcard gets the text format, which everything reads.
 */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  const quality = (type: string): number =>
    Math.max(
      0,
      ...(accept ?? "").split(",").flatMap((each) => {
        const [name = "", ...parameters] = each.split(";").map((part) => part.trim().toLowerCase());
        if (name !== type) return [];
        const weight = parameters.find((parameter) => parameter.startsWith("q="));
        const q = weight === undefined ? 1 : Number(weight.slice(2));
        return Number.isFinite(q) ? [q] : [];
      }),
    );
  const wanted = quality("application/openmetrics-text");
  return wanted > 0 && wanted >= quality("text/plain");
}

/** The text format of Prometheus as OpenMetrics 1.0: a counter's family is called without `_total`, there are no empty lines, buckets have exemplars, and the end is marked. */
export function toOpenMetrics(text: string): string {
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]),
  );
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    lines.push(line.startsWith("# ") ? aboutFamily(line, types) : line + exemplarOf(line));
  }
  return `${lines.join("\n")}\n# EOF\n`;
}

function aboutFamily(line: string, types: ReadonlyMap<string, string>): string {
  const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
  if (keyword === undefined || types.get(name) !== "counter") return line;
  if (name.endsWith("_total")) return `# ${keyword} ${name.slice(0, -"_total".length)} ${rest}`;
  // One that is called otherwise would have no samples as a counter.
  return keyword === "TYPE" ? `# TYPE ${name} unknown` : line;
}
