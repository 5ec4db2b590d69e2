import { html, type Html, type Shown } from "@heliograph/html";
import { table } from "./parts.ts";

export type Bar = { readonly label: string; readonly parts: readonly number[] };
export type Series = { readonly name: string; readonly look: "good" | "going" | "bad" };

/** Pixels, whatever the width is: places along it are shares of it, so that letters and heights are the same on a phone. */
const height = 180;
const bottom = 24;
const top = 16;
/** One bar among none is a bar, and not a wall. */
const mostBarShare = 8;

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
  /** What is shown while there is nothing to draw: what would be, and how it gets there. */
  readonly nothing: Shown;
};

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const rounded = (value: number): number => Math.round(value * 100) / 100;

/** What would be drawn, in place of bare axes. */
const blank = (title: string, nothing: Shown): Html =>
  html`<figure class="chart"><figcaption>${title}</figcaption><p class="nothing">${nothing}</p></figure>`;

/** Stacked bars, with the same figures as a table for those who cannot see them. */
export function barChart(
  id: string,
  title: string,
  series: readonly Series[],
  bars: readonly Bar[],
  { column, said, nothing }: Reading,
): Html {
  const sums = bars.map(({ parts }) => parts.reduce((sum, part) => sum + part, 0));
  if (sums.every((sum) => sum === 0)) return blank(title, nothing);
  const ceiling = niceCeiling(Math.max(...sums, 4));
  const inner = height - bottom - top;
  const y = (value: number): number => rounded(top + inner - (value / ceiling) * inner);
  const marks = [0, ceiling / 2, ceiling];
  const shownTotals = series.map(({ name }, at) => {
    const sum = bars.reduce((all, { parts }) => all + (parts[at] ?? 0), 0);
    return `${sum} ${name}`;
  });
  return html`<figure class="chart"><figcaption>${title}</figcaption>
<div class="plot"><svg class="scale" aria-hidden="true">${marks.map((mark) => html`<text x="100%" y="${y(mark) + 4}" text-anchor="end">${compact.format(mark)}</text>`)}</svg>
<svg role="img" aria-labelledby="${id}-t ${id}-d">
<title id="${id}-t">${title}</title><desc id="${id}-d">${said ?? shownTotals.join(", ")}</desc>
${marks.map((mark) => html`<line class="grid" x1="0" x2="100%" y1="${y(mark)}" y2="${y(mark)}"/>`)}
${columnsOf(series, bars, y)}
${labelsOf(bars)}
</svg></div>
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

function columnsOf(
  series: readonly Series[],
  bars: readonly Bar[],
  y: (value: number) => number,
): readonly Html[] {
  const step = 100 / bars.length;
  const barWidth = Math.min(step * 0.7, mostBarShare);
  return bars.flatMap(({ parts }, index) => {
    let below = 0;
    return parts.flatMap((part, at) => {
      if (part === 0) return [];
      const from = y(below);
      below += part;
      const x = rounded(index * step + (step - barWidth) / 2);
      return [
        html`<rect class="${series[at]!.look}" x="${x}%" y="${y(below)}" width="${rounded(barWidth)}%" height="${rounded(from - y(below))}"/>`,
      ];
    });
  });
}

/** Few bars have a name each, below their middle; of many every so many have. */
function labelsOf(bars: readonly Bar[]): readonly (Html | false)[] {
  const step = 100 / bars.length;
  const few = bars.length <= 8;
  const every = few ? 1 : Math.ceil(bars.length / 5);
  return bars.map(
    ({ label }, index) =>
      index % every === 0 &&
      html`<text x="${rounded(index * step + (few ? step / 2 : 0))}%" y="${height - 6}"${few && html` text-anchor="middle"`}>${label}</text>`,
  );
}

export type Row = {
  readonly label: string;
  readonly value: number;
  /** The value with its unit. */
  readonly text: string;
  readonly look: Series["look"];
};

const rowHeight = 40;

/** A bar for each of a few things that have names, with the same figures as a table. */
export function rowChart(
  id: string,
  title: string,
  rows: readonly Row[],
  { column, nothing }: Reading,
): Html {
  if (rows.length === 0) return blank(title, nothing);
  const most = Math.max(...rows.map(({ value }) => value), 1);
  const share = (value: number): number => rounded((value / most) * 100);
  return html`<figure class="chart"><figcaption>${title}</figcaption>
<svg class="rows" height="${rows.length * rowHeight}" role="img" aria-labelledby="${id}-t ${id}-d">
<title id="${id}-t">${title}</title><desc id="${id}-d">${rows.map(({ label, text }) => `${label}: ${text}`).join(", ")}</desc>
${rows.map(({ label, value, text, look }, index) => html`<text x="0" y="${index * rowHeight + 17}">${label}</text><text x="100%" y="${index * rowHeight + 17}" text-anchor="end">${text}</text><rect class="track" x="0" y="${index * rowHeight + 24}" width="100%" height="6"/><rect class="${look}" x="0" y="${index * rowHeight + 24}" width="${share(value)}%" height="6"/>`)}
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
