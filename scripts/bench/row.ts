/** One line of the benchmark's table: a figure, the baseline of the same run it is held against, and its goal. */
export type Row = {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline?: number;
  /** value / baseline. Ratios travel between machines, absolute figures do not. */
  readonly ratio?: number;
  readonly goal: string;
  readonly met: boolean;
  /** Where the figure comes from, or what it is made of. */
  readonly note?: string;
};

/** A row that is judged by its ratio to a baseline: `atLeast` is the least ratio that meets the goal. */
export function ratioRow(
  figure: string,
  unit: string,
  value: number,
  baseline: { readonly value: number; readonly of: string },
  atLeast: number,
): Row {
  const ratio = value / baseline.value;
  return {
    figure,
    value: Math.round(value),
    unit,
    baseline: Math.round(baseline.value),
    ratio: ratio < 0.1 ? Number(ratio.toPrecision(2)) : Math.round(ratio * 100) / 100,
    goal: `≥ ${atLeast} × ${baseline.of}`,
    met: ratio >= atLeast,
  };
}

/** A row that is judged by a limit of its own: `atMost` in the row's unit, or no goal at all. */
export function limitRow(
  figure: string,
  unit: string,
  value: number,
  atMost: number | undefined,
  note: string,
): Row {
  return {
    figure,
    value,
    unit,
    goal: atMost === undefined ? "" : `≤ ${atMost} ${unit}`,
    met: atMost === undefined || value <= atMost,
    note,
  };
}

export function printRows(rows: readonly Row[]): void {
  for (const row of rows) {
    const against = row.ratio === undefined ? "" : `, ${row.ratio} × ${row.baseline} ${row.unit}`;
    console.log(
      `${row.met ? "met " : "MISS"}  ${row.figure}: ${row.value} ${row.unit}${against} (${[row.goal, row.note].filter(Boolean).join("; ")})`,
    );
  }
}
