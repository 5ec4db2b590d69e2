import type { Answers } from "../answers.ts";

export type PriceEntry = Answers["PriceList"]["entries"][number];

const columns = ["channel", "prefix", "category", "min_segments", "per_segment"] as const;
export const pricesHead = columns.join(",");

const keyOf = ({ channel, prefix, category, min_segments: segments }: PriceEntry): string =>
  [channel, prefix, category, segments].join(",");

/** One entry a line, as `entriesIn` reads it. */
export const linesOf = (entries: readonly PriceEntry[]): string =>
  [pricesHead, ...entries.map((entry) => `${keyOf(entry)},${entry.per_segment}`)].join("\n");

/** What lines say, with commas, semicolons or tabs as spreadsheets give them. What is no entry goes as it is, so that the platform says what is wrong with it. */
export const entriesIn = (text: string): readonly PriceEntry[] =>
  text
    .split("\n")
    .map((line) => line.split(/[,;\t]/).map((cell) => cell.trim()))
    .filter((cells) => cells.some((cell) => cell !== "") && cells[0] !== columns[0])
    .map(([channel = "", prefix = "", category = "", segments = "", price = ""]) => ({
      channel: channel as PriceEntry["channel"],
      prefix: prefix.replace(/^\+/, ""),
      ...(category !== "" && { category: category as "marketing" }),
      ...(segments !== "" && {
        min_segments: (/^\d{1,6}$/.test(segments) ? Number(segments) : segments) as number,
      }),
      per_segment: price,
    }));

export type PriceChange = {
  readonly entry: PriceEntry;
  /** Undefined where there was none, or is none any more. */
  readonly before: string | undefined;
  readonly after: string | undefined;
};

/** What another version prices differently, in the order of the new one; what it leaves out comes last. */
export function changesOf(
  old: readonly PriceEntry[],
  next: readonly PriceEntry[],
): readonly PriceChange[] {
  const before = new Map(old.map((entry) => [keyOf(entry), entry.per_segment]));
  const after = new Map(next.map((entry) => [keyOf(entry), entry.per_segment]));
  return [
    ...next.map((entry) => ({
      entry,
      before: before.get(keyOf(entry)),
      after: entry.per_segment,
    })),
    ...old
      .filter((entry) => !after.has(keyOf(entry)))
      .map((entry) => ({ entry, before: entry.per_segment, after: undefined })),
  ].filter((change) => change.before !== change.after);
}
