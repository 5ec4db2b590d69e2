/** One batch of the feed: where it begins, and how many of its jobs neither a row nor an outcome stands for. */
export type Mark = { readonly before: bigint; open: number };

/** The highest position below which everything is resolved or stored in a row: what a checkpoint may say. */
export type Floor = {
  /** Begins a batch; jobs of it take hold of the mark. */
  begin(): Mark;
  /** The batch is handed over up to `position`: everything in it that matters has taken hold. */
  end(mark: Mark, position: bigint): void;
  hold(mark: Mark): Mark;
  release(mark: Mark): void;
  position(): bigint;
};

export function createFloor(start: bigint): Floor {
  const marks: Mark[] = [];
  let first = 0;
  let handled = start;
  return {
    begin() {
      // The batch itself holds its mark until it is handed over.
      const mark = { before: handled, open: 1 };
      marks.push(mark);
      return mark;
    },
    end(mark, position) {
      if (position > handled) handled = position;
      mark.open--;
    },
    hold(mark) {
      mark.open++;
      return mark;
    },
    release(mark) {
      mark.open--;
    },
    position() {
      while (first < marks.length && marks[first]!.open === 0) first++;
      if (first > 256) {
        marks.splice(0, first);
        first = 0;
      }
      return marks[first]?.before ?? handled;
    },
  };
}
