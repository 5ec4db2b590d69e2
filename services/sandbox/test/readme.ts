// What the README shows, compiled.
import { virtualClock } from "@heliograph/runtime";
import type { Directory } from "@heliograph/platform";

export const example = (directory: Directory, partner: string, sendAt: number): boolean => {
  const clock = virtualClock(directory); // of a process: `context.clock`
  const due = sendAt <= clock.now(partner);
  const happenedAt = clock.instant(partner, sendAt) ?? clock.now(partner); // `sendAt` itself where the clock went over it
  return due && happenedAt >= sendAt;
};
