import { readFileSync } from "node:fs";
import { type Dependency, readDependencies } from "../shared/dependencies.ts";
import { isMet } from "../shared/spdx.ts";

const listFile = "scripts/check/licences.json";

export type LicenceList = {
  /** What may be part of what runs: whoever is given it owes no more than a notice. */
  readonly shipped: readonly string[];
  /** And besides what may build and test it. */
  readonly development: readonly string[];
  /** Of packages that do not name theirs, by `name@version`. */
  readonly named: Readonly<Record<string, string>>;
};

/** Each package whose licence is not on the list, or not known. One for other machines than this has no files here to tell. */
export function wrongLicences(
  dependencies: readonly Dependency[],
  { shipped, development, named }: LicenceList,
): readonly string[] {
  const running = new Set(shipped);
  const building = new Set([...shipped, ...development]);
  return dependencies.flatMap(({ name, version, licence, isShipped, isOptional }) => {
    const key = `${name}@${version}`;
    const given = licence ?? named[key];
    if (given === undefined) return isOptional ? [] : [`${key}: names no licence`];
    const allowed = isShipped ? running : building;
    const where = isShipped ? "what runs" : "what builds and tests";
    return isMet(given, allowed) ? [] : [`${key}: ${given} is not on the list for ${where}`];
  });
}

/** @param root of a checkout whose dependencies are installed */
export const checkLicences = (root: string): readonly string[] =>
  wrongLicences(
    readDependencies(root),
    JSON.parse(readFileSync(`${root}/${listFile}`, "utf8")) as LicenceList,
  );
