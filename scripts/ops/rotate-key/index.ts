import { failpoint, type MasterKey } from "@heliograph/contracts";
import {
  beginRotation,
  endRotation,
  named,
  openControlPlane,
  processesWithout,
  rotatedKeys,
  type Rotation,
} from "@heliograph/platform";
import type { Resealed } from "@heliograph/vault";
import { sayTable } from "../../shared/table.ts";
import type { Target } from "../target.ts";
import { openPlaces } from "./places.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const count = (value: number): string => value.toLocaleString("en");

/**
 * Seals whatever the key before sealed with the new one, while services go on, and says what is left. Interrupted or killed, it goes on where it was. True once no process seals with the key before and two
 * runs in a row found nothing under it; then, and not before, is the rotation ended. With `checkOnly` it changes nothing. Throws SettingsError where the two keys are not there, or a
 * process lacks the new one.
 */
export async function rotateKey(
  target: Target,
  checkOnly: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const { settings, server, logger } = target;
  const rotation = checkOnly
    ? { ...(await rotatedKeys(settings, server)), isSecond: false }
    : await beginRotation(settings, server);
  const { masterKey } = rotation;
  const plane = await openControlPlane(settings, server, "given", logger);
  let renewed = 0;
  let left: number;
  try {
    if (!checkOnly)
      renewed = (await look(target, plane, { masterKey, renew: true, signal })).renewed;
    // What writers that seal with the key before have written meanwhile is left, too.
    left = (await look(target, plane, { masterKey, renew: false, signal })).left;
  } finally {
    await plane.close();
  }
  if (left > 0) {
    say(`left under the key before: ${count(left)}; keep both keys, and run this again.`);
    return false;
  }
  return checkOnly ? isUnused(server, masterKey) : ends(server, rotation, renewed);
}

async function isUnused(server: Target["server"], masterKey: MasterKey): Promise<boolean> {
  const late = await processesWithout(server, masterKey);
  if (late.length > 0) sayLate(late);
  else say("Nothing is left under the key before.");
  return late.length === 0;
}

/** After a run that left nothing. What it renewed somebody had sealed with the key before since, or ever: that the next finds nothing is what counts. */
async function ends(
  server: Target["server"],
  rotation: Rotation,
  renewed: number,
): Promise<boolean> {
  const { ended, late } =
    renewed === 0
      ? await endRotation(server, rotation)
      : { ended: false, late: await processesWithout(server, rotation.masterKey) };
  if (late.length > 0) sayLate(late);
  else if (ended)
    say("Done: nothing is left under the key before. Take it away from every process.");
  else if (renewed > 0)
    say(
      `${count(renewed)} had been sealed with the key before. Run this again, until two runs in a row find none.`,
    );
  else
    say(
      "This run found nothing under the key before. Run this once more: two in a row are the end.",
    );
  return ended;
}

function sayLate(late: readonly string[]): void {
  say(`These processes seal with the key before: ${named(late)}.`);
  say("Restart every one of them, then run this again. One that was killed is named for a minute.");
}

type How = {
  readonly masterKey: MasterKey;
  readonly renew: boolean;
  readonly signal: AbortSignal;
};

/** Goes through every place once and shows what it found; gives how many values it sealed anew, and how many are left. */
async function look(
  target: Target,
  plane: Parameters<typeof openPlaces>[1],
  { masterKey, renew, signal }: How,
): Promise<Pick<Resealed, "renewed" | "left">> {
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
  const sum = (of: "renewed" | "left"): number =>
    found.reduce((total, [, each]) => total + each[of], 0);
  return { renewed: sum("renewed"), left: sum("left") };
}
