import { masterKeyState, named } from "@heliograph/platform";
import { clockSkewMs, clockSkewWorthSayingMs } from "@heliograph/runtime";
import { duration, type Finding, type OpenPlace } from "./check.ts";

/** This machine's clock against the database's. */
export async function lookAtClock({ pool }: OpenPlace): Promise<Finding> {
  return ofSkew(await clockSkewMs(pool("platform")));
}

export const ofSkew = (ms: number): Finding =>
  Math.abs(ms) < clockSkewWorthSayingMs
    ? { status: "ok", summary: "this machine and the database agree on the time" }
    : {
        status: "failed",
        summary: `the database's clock is ${duration(Math.abs(ms))} ${ms > 0 ? "ahead of" : "behind"} this machine's: set both by NTP`,
      };

/** Whether the master key that is configured here opens what the installation sealed. */
export async function lookAtMasterKey({
  settings,
  server,
}: Pick<OpenPlace, "settings" | "server">): Promise<Finding> {
  const { state, from, late } = await masterKeyState(settings, server);
  switch (state) {
    case "opens":
      return late.length === 0
        ? { status: "ok", summary: `${from} opens what is sealed` }
        : {
            status: "failed",
            summary: `these processes seal with a key that is not the installation's any more, start them anew: ${named(late)}`,
          };
    case "rotating":
      return {
        status: "warning",
        summary:
          late.length === 0
            ? "the master key is being rotated: go on with rotate-key until it says that it is done"
            : `the master key is being rotated, and these seal with the one before until they are started anew: ${named(late)}`,
      };
    case "untried":
      return { status: "ok", summary: `${from} is there, and nothing was ever sealed with it` };
    case "missing":
      return {
        status: "failed",
        summary: `no master key: neither HELIOGRAPH_MASTER_KEY nor ${from}`,
      };
    case "other":
      return { status: "failed", summary: `${from} is not the key of this installation` };
  }
}
