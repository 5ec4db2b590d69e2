const prefix = "HELIOGRAPH_";
/** A letter left out, doubled or wrong, or two that changed places. */
const slipEdits = 2;

/**
 * Names that begin like settings and are none: the first that is a slip of one (`near`), and those that are like none (`far`), each as a line that names the closest. The second kind
 * may stand in the environment for good reason: Kubernetes makes `…_SERVICE_HOST` for a service named `heliograph`, and a later release has settings that this one does not know.
 */
export function misspelt(
  names: readonly string[],
  known: readonly string[],
): { readonly near: string | undefined; readonly far: readonly string[] } {
  let near: string | undefined;
  const far: string[] = [];
  for (const name of names) {
    if (!name.startsWith(prefix) || known.includes(name)) continue;
    const [closest] = known
      .map((item) => ({ item, edits: editsBetween(name, item) }))
      .toSorted((left, right) => left.edits - right.edits);
    if (closest === undefined) continue;
    const line = `${name} is no setting; did you mean ${closest.item}?`;
    if (closest.edits <= slipEdits) near ??= line;
    else far.push(line);
  }
  return { near, far };
}

/** The Levenshtein distance: how many letters have to be added, taken or changed. */
function editsBetween(left: string, right: string): number {
  let above = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++)
      current[column] = Math.min(
        above[column]! + 1,
        current[column - 1]! + 1,
        above[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1),
      );
    above = current;
  }
  return above[right.length]!;
}
