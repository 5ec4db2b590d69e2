export type Piece = { readonly kind: "same" | "gone" | "new"; readonly text: string };

/** A text has at most 10,000 characters; beyond so many pairs of words it is told as a whole. */
const maxPairs = 4_000_000;

const wordsOf = (text: string): readonly string[] => text.match(/\s+|\w+|[^\s\w]/gu) ?? [];

/** What has to go and to come so that one text becomes the other, word by word: their longest common subsequence stays. */
export function diffWords(from: string, to: string): readonly Piece[] {
  const old = wordsOf(from);
  const made = wordsOf(to);
  if (old.length * made.length > maxPairs)
    return joined([
      { kind: "gone", text: from },
      { kind: "new", text: to },
    ]);
  const width = made.length + 1;
  const kept = new Uint32Array((old.length + 1) * width);
  for (let at = old.length - 1; at >= 0; at--)
    for (let other = made.length - 1; other >= 0; other--)
      kept[at * width + other] =
        old[at] === made[other]
          ? kept[(at + 1) * width + other + 1]! + 1
          : Math.max(kept[(at + 1) * width + other]!, kept[at * width + other + 1]!);
  const pieces: Piece[] = [];
  let [at, other] = [0, 0];
  while (at < old.length || other < made.length)
    if (at < old.length && other < made.length && old[at] === made[other]) {
      pieces.push({ kind: "same", text: old[at++]! });
      other++;
    } else if (
      other >= made.length ||
      (at < old.length && kept[(at + 1) * width + other]! >= kept[at * width + other + 1]!)
    )
      pieces.push({ kind: "gone", text: old[at++]! });
    else pieces.push({ kind: "new", text: made[other++]! });
  return joined(pieces);
}

function joined(pieces: readonly Piece[]): readonly Piece[] {
  const found: { kind: Piece["kind"]; text: string }[] = [];
  for (const { kind, text } of pieces) {
    const last = found.at(-1);
    if (last?.kind === kind) last.text += text;
    else if (text !== "") found.push({ kind, text });
  }
  return found;
}
