import { failpoint, type MasterKey } from "@heliograph/contracts";
import { beginRotation, endRotation, openControlPlane, rotatedKeys } from "@heliograph/platform";
import type { Resealed } from "@heliograph/vault";
import { sayTable } from "../../shared/table.ts";
import type { Target } from "../target.ts";
import { openPlaces } from "./places.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const count = (value: number): string => value.toLocaleString("en");

/**
 * Seals whatever the key before sealed with the new one, while services go on, and says what is left. Interrupted or killed, it goes on where it was. True once nothing is left; then,
 * and not before, is the rotation ended. With `checkOnly` it changes nothing. Throws SettingsError where the two keys are not there.
 */
export async function rotateKey(
  target: Target,
  checkOnly: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const { settings, server, logger } = target;
  const masterKey = checkOnly
    ? (await rotatedKeys(settings, server)).masterKey
    : await beginRotation(settings, server);
  const plane = await openControlPlane(settings, server, "given", logger);
  try {
    if (!checkOnly) await look(target, plane, { masterKey, renew: true, signal });
    // What writers that seal with the key before have written meanwhile is left, too.
    const left = await look(target, plane, { masterKey, renew: false, signal });
    if (left > 0) {
      say(`left under the key before: ${count(left)}; keep both keys, and run this again.`);
      return false;
    }
  } finally {
    await plane.close();
  }
  if (checkOnly) {
    say("Nothing is left under the key before.");
    return true;
  }
  if (!(await endRotation(server))) {
    say("Nothing is left of what was there. Processes that run still seal with the key before:");
    say("restart every one of them, then run this again.");
    return false;
  }
  say("Done: nothing is left under the key before. Take it away from every process.");
  return true;
}

type How = {
  readonly masterKey: MasterKey;
  readonly renew: boolean;
  readonly signal: AbortSignal;
};

/** Goes through every place once and shows what it found; gives how many values are left. */
async function look(
  target: Target,
  plane: Parameters<typeof openPlaces>[1],
  { masterKey, renew, signal }: How,
): Promise<number> {
  const { places, close } = await openPlaces(target, plane, masterKey);
  const onPage = async (): Promise<void> => {
    await failpoint("rotate_key.page");
    signal.throwIfAborted();
  };
  const found: (readonly [string, Resealed])[] = [];
  try {
    for (const { name, go } of places) {
      found.push([name, await go({ renew, onPage })]);
      signal.throwIfAborted();
    }
  } finally {
    await close();
  }
  const rows = found.map(([name, { renewed, left, lost }]) => [
    name,
    count(renew ? renewed : left),
    count(lost),
  ]);
  sayTable([["what", renew ? "sealed anew" : "left", "opened by neither"], ...rows]);
  return found.reduce((sum, [, { left }]) => sum + left, 0);
}
