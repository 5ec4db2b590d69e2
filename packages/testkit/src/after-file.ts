const ends = new Set<() => Promise<unknown>>();

/** Called when the test file is over, after the file's own hooks. For helpers that keep something for a file: they are loaded once for many, and an `afterAll` beside them would end with the first. */
export function afterFile(end: () => Promise<unknown>): void {
  ends.add(end);
}

export async function endFile(): Promise<void> {
  const these = [...ends].toReversed();
  ends.clear();
  for (const end of these) await end();
}
