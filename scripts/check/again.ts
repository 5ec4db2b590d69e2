import type { CheckTotals } from "./steps.ts";

export type TestTotals = CheckTotals & {
  /** Below the root. */
  readonly failedFiles: readonly string[];
};

/** More than these failed by something that they share, or because what was changed is wrong. */
const mostFiles = 2;

/**
 * Which files of a whole run are run a second time, by themselves: a test that now and then loses a race against a busy machine must not hide behind the same run what all the
 * others found. None when more failed, or something that belongs to no file.
 */
export function filesToRunAgain({ failed, failedFiles }: TestTotals): readonly string[] {
  return failed > 0 && failedFiles.length <= mostFiles ? failedFiles : [];
}

/** The totals of a run of which some files were run again. They are forgiven together or not at all. */
export function afterRunningAgain(first: TestTotals, second: TestTotals): TestTotals {
  if (second.failed > 0 || second.passed === 0) return first;
  return { ...first, passed: first.passed + first.failed, failed: 0 };
}
