import { html, type Html } from "@heliograph/html";
import { table } from "./parts.ts";

export type Bar = { readonly label: string; readonly parts: readonly number[] };
export type Series = { readonly name: string; readonly look: "good" | "going" | "bad" };

const width = 720;
const height = 180;
const left = 40;
const bottom = 24;
const top = 16;
/** One bar among none is a bar, and not a wall. */
const mostBarWidth = 72;

/** The next of 1, 2, 4, 6, 10, … that is not smaller: a scale that people read, with whole halves from 2 on. */
function niceCeiling(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 4, 6, 10].map((step) => step * power).find((step) => step >= most) ?? most;
}

type Reading = {
  /** The head of the labels' column. */
  readonly column: string;
  /** What the bars say together, where their sum says nothing. */
  readonly said?: string;
};

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

/** Stacked bars, with the same figures as a table for those who cannot see them. */
export function barChart(
  id: string,
  title: string,
  series: readonly Series[],
  bars: readonly Bar[],
  { column, said }: Reading,
): Html {
  // Few bars have a name each.
  const few = bars.length <= 8;
  const every = few ? 1 : Math.ceil(bars.length / 5);
  const sums = bars.map(({ parts }) => parts.reduce((sum, part) => sum + part, 0));
  const total = sums.reduce((sum, part) => sum + part, 0);
  const ceiling = niceCeiling(Math.max(...sums, 4));
  const inner = height - bottom - top;
  const y = (value: number): number =>
    Math.round((top + inner - (value / ceiling) * inner) * 10) / 10;
  const step = (width - left) / bars.length;
  const barWidth = Math.min(Math.round(step * 7) / 10, mostBarWidth);
  const columns = bars.flatMap(({ parts }, index) => {
    let below = 0;
    return parts.flatMap((part, at) => {
      if (part === 0) return [];
      const from = y(below);
      below += part;
      const x =
        Math.round((left + index * step + (step * 0.7 - barWidth) / 2 + step * 0.15) * 10) / 10;
      return [
        html`<rect class="${series[at]!.look}" x="${x}" y="${y(below)}" width="${barWidth}" height="${Math.round((from - y(below)) * 10) / 10}"/>`,
      ];
    });
  });
  const shownTotals = series.map(({ name }, at) => {
    const sum = bars.reduce((all, { parts }) => all + (parts[at] ?? 0), 0);
    return `${sum} ${name}`;
  });
  return html`<figure class="chart"><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-t ${id}-d">
<title id="${id}-t">${title}</title><desc id="${id}-d">${said ?? (total === 0 ? "Nothing in this time." : shownTotals.join(", "))}</desc>
${[0, ceiling / 2, ceiling].map((mark) => html`<line class="grid" x1="${left}" x2="${width}" y1="${y(mark)}" y2="${y(mark)}"/><text class="tick" x="${left - 8}" y="${y(mark) + 4}" text-anchor="end">${compact.format(mark)}</text>`)}
${columns}
${bars.map(({ label }, index) => index % every === 0 && html`<text class="tick" x="${Math.round(left + index * step + (few ? step / 2 : 0))}" y="${height - 6}"${few && html` text-anchor="middle"`}>${label}</text>`)}
</svg>
<ul class="legend">${series.map(({ name, look }) => html`<li class="${look}">${name}</li>`)}</ul>
<details><summary>As a table</summary>${table(
    title,
    [
      { label: column, cell: ({ label }: Bar) => label },
      ...series.map(({ name }, at) => ({
        label: name,
        figures: true,
        cell: ({ parts }: Bar) => parts[at] ?? 0,
      })),
    ],
    bars,
  )}</details></figure>`;
}

export type Row = {
  readonly label: string;
  readonly value: number;
  /** The value with its unit. */
  readonly text: string;
  readonly look: Series["look"];
};

const rowHeight = 40;
const rowWidth = 400;

/** A bar for each of a few things that have names, with the same figures as a table. */
export function rowChart(id: string, title: string, column: string, rows: readonly Row[]): Html {
  const most = Math.max(...rows.map(({ value }) => value), 1);
  const length = (value: number): number => Math.round((value / most) * rowWidth * 10) / 10;
  return html`<figure class="chart"><figcaption>${title}</figcaption>
<svg class="rows" viewBox="0 0 ${rowWidth} ${Math.max(1, rows.length) * rowHeight}" role="img" aria-labelledby="${id}-t ${id}-d">
<title id="${id}-t">${title}</title><desc id="${id}-d">${rows.length === 0 ? "Nothing in this time." : rows.map(({ label, text }) => `${label}: ${text}`).join(", ")}</desc>
${rows.length === 0 && html`<text x="0" y="22">Nothing in this time.</text>`}
${rows.map(({ label, value, text, look }, index) => html`<text x="0" y="${index * rowHeight + 17}">${label}</text><text x="${rowWidth}" y="${index * rowHeight + 17}" text-anchor="end">${text}</text><rect class="${look}" x="0" y="${index * rowHeight + 24}" width="${Math.max(1, length(value))}" height="8"/>`)}
</svg>
<details><summary>As a table</summary>${table(
    title,
    [
      { label: column, cell: ({ label }: Row) => label },
      { label: "Value", figures: true, cell: ({ text }: Row) => text },
    ],
    rows,
  )}</details></figure>`;
}
