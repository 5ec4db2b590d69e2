/** Collects what does not hold; the same sentence about many messages is cut short. */
export type Verdict = {
  broken(invariant: number, sentence: string): void;
  readonly violations: readonly string[];
};

const mostPerInvariant = 5;

export function newVerdict(): Verdict {
  const violations: string[] = [];
  const counts = new Map<number, number>();
  return {
    violations,
    broken(invariant, sentence) {
      const count = (counts.get(invariant) ?? 0) + 1;
      counts.set(invariant, count);
      if (count <= mostPerInvariant) violations.push(`invariant ${invariant}: ${sentence}`);
      else if (count === mostPerInvariant + 1)
        violations.push(`invariant ${invariant}: … and more`);
    },
  };
}
