import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** A broker of a test lives for seconds: it is not worth it to compile or to collect on more than one thread. */
const short = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/** Who makes the archive is done long before, or was killed. */
const makingMs = 120_000;

/** What Java has read and checked of the jars' classes, for all later starts. */
const archiveOf = (jars: string): string => join(jars, "classes.jsa");

/** What Java is given to run a class of the jars. Without the archive, or with one of another Java, it reads the classes anew. */
export const javaArguments = (jars: string): readonly string[] => [
  ...short,
  ...(existsSync(archiveOf(jars)) ? [`-XX:SharedArchiveFile=${archiveOf(jars)}`] : []),
  "-cp",
  join(jars, "*"),
];

/**
 * Makes the archive where there is none yet and nobody else is making it: a start with it takes two thirds of the processor time. Once for all runs of an account.
 *
 * @param run runs a broker with these arguments from start to an orderly end.
 */
export async function keepArchive(
  jars: string,
  run: (args: readonly string[]) => Promise<void>,
): Promise<void> {
  const archive = archiveOf(jars);
  const [making, half] = [`${archive}.making`, `${archive}.half`];
  if (existsSync(archive) || !begin(making)) return;
  try {
    await run([`-XX:ArchiveClassesAtExit=${half}`, ...javaArguments(jars)]);
    renameSync(half, archive);
  } catch {
    // The folder is full or not ours to write, or this Java makes none: it goes without.
    rmSync(half, { force: true });
  } finally {
    rmSync(making, { force: true });
  }
}

function begin(making: string): boolean {
  try {
    const age = Date.now() - (statSync(making, { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
    if (age > makingMs) rmSync(making, { force: true });
    closeSync(openSync(making, "wx"));
    return true;
  } catch {
    return false;
  }
}
