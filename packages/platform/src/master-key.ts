import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { hash, randomBytes } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { keysOf, masterKeyOf, openSecret, sealSecret, type MasterKey } from "@heliograph/contracts";
import {
  databaseConfig,
  SettingsError,
  StartError,
  type Server,
  type Settings,
} from "@heliograph/runtime";
import {
  beginKeyRotation,
  beginSweep,
  endSweep,
  type KeySamples,
  processesSealingElse,
  readKeySamples,
  replaceKeySample,
} from "./store.ts";

/**
 * Where a process may have the master key from. `given`: a service that runs alone is given the installation's. `made`: the whole product makes one at the
 * first start of an installation. `unused`: a tool that seals and opens nothing goes without.
 */
export type KeyRule = "given" | "made" | "unused";

/** What the installation knows of its key: a text sealed with it, in the platform database. */
export type KeyRecord = {
  /** Whether a service has run before, and may have sealed something. */
  readonly hasRun: boolean;
  readSamples(): Promise<KeySamples | undefined>;
  /** Gives the one that is stored, which may be another process's. */
  addSample(sealed: string): Promise<string>;
  /** Whether what earlier releases, which kept no sample, derived from their key can come from this one. */
  mayBe(key: Buffer): boolean;
};

type KeySettings = Pick<Settings, "masterKey" | "dataDir">;
const sample = "heliograph master key";

/**
 * The key that seals secrets and derives the demo partner's keys: `HELIOGRAPH_MASTER_KEY`, else the `master.key` of the data folder. It is compared with the
 * installation's before anything is sealed with it, and never made anew where something may be sealed already. Of two keys that one seals which the installation says. Throws SettingsError
 * or StartError.
 */
export async function openMasterKey(
  settings: KeySettings,
  rule: KeyRule,
  record: KeyRecord,
): Promise<MasterKey> {
  const { keys, path } = findKeys(settings);
  const [given] = keys;
  if (given === undefined && rule === "unused") return Buffer.alloc(32);
  if (given === undefined && rule === "given")
    throw new SettingsError(
      `HELIOGRAPH_MASTER_KEY: a service that runs alone must be given the installation's key, by this variable or as ${path}`,
    );
  const stored = await record.readSamples();
  if (given === undefined && (stored !== undefined || record.hasRun))
    throw new StartError(
      `${path} is missing, and this installation holds what was sealed with its key: put the file back, or set HELIOGRAPH_MASTER_KEY`,
    );
  if (stored !== undefined) return ofInstallation(settings, keys, stored);
  const { key, made } = given === undefined ? makeKey(path) : { key: given, made: false };
  if (!record.mayBe(key)) throw otherKey(settings, path);
  if (opensSample(key, await record.addSample(sealSecret(key, sample))))
    return masterKeyOf(key, keys[1]);
  // Another first start was quicker, with a key of its own.
  if (made) rmSync(path);
  throw otherKey(settings, path);
}

function ofInstallation(
  settings: KeySettings,
  keys: readonly Buffer[],
  { sample, before }: KeySamples,
): MasterKey {
  const { path } = findKeys(settings);
  const key = keys.find((each) => opensSample(each, sample));
  if (key === undefined) throw otherKey(settings, path);
  if (before !== undefined && !keys.some((each) => opensSample(each, before)))
    throw new SettingsError(
      `${nameOf(settings, path)}: the master key is being rotated: give the one before it too, until rotate-key says that it is done`,
    );
  return masterKeyOf(
    key,
    keys.find((each) => each !== key),
  );
}

/** Makes the given key the installation's, after the old one was lost: what that one sealed stays sealed. Throws SettingsError when none is given. */
export async function acceptMasterKey(settings: Settings, server: Server): Promise<void> {
  const { keys, path } = findKeys(settings);
  const [key] = keys;
  if (key === undefined)
    throw new SettingsError(
      `HELIOGRAPH_MASTER_KEY: give the new key, by this variable or as ${path}`,
    );
  await replaceKeySample(databaseConfig(server, "platform"), sealSecret(key, sample));
}

/** A run of a rotation. */
export type Rotation = {
  /** The new key first. */
  readonly masterKey: MasterKey;
  /** The run before found nothing under the key before. */
  readonly isSecond: boolean;
};

/**
 * Begins a rotation from the installation's key to the first of the two that are configured, or goes on with the one under way. Throws SettingsError, also where a process that runs lacks the new key.
 */
export async function beginRotation(settings: KeySettings, server: Server): Promise<Rotation> {
  const config = databaseConfig(server, "platform");
  const { masterKey, rotating } = await rotatedKeys(settings, server);
  if (rotating) return { masterKey, isSecond: await beginSweep(config) };
  const { sample: from } = (await readKeySamples(config))!;
  if (opensSample(keysOf(masterKey)[0]!, from))
    throw new SettingsError(
      "HELIOGRAPH_MASTER_KEY: the first of the two keys is the installation's already; put the new one first",
    );
  const { begun, late } = await beginKeyRotation(config, {
    from,
    next: sealSecret(masterKey, sample),
    fingerprint: fingerprintOf(masterKey),
  });
  if (late.length > 0)
    throw new SettingsError(
      `HELIOGRAPH_MASTER_KEY: give both keys to every process first, the new one first, and start it anew; these lack the new one: ${named(late)}`,
    );
  // Another run was quicker.
  return begun ? { masterKey, isSecond: false } : beginRotation(settings, server);
}

/** Both keys, the one that seals, or is to seal, first. Throws SettingsError where two are not given, or none is the installation's. */
export async function rotatedKeys(
  settings: KeySettings,
  server: Server,
): Promise<{ readonly masterKey: MasterKey; readonly rotating: boolean }> {
  const { keys, path } = findKeys(settings);
  const [first, second] = keys;
  if (first === undefined || second === undefined || first.equals(second))
    throw new SettingsError(
      `${nameOf(settings, path)}: give two keys, the new one first, and the one that it replaces`,
    );
  const stored = await readKeySamples(databaseConfig(server, "platform"));
  if (stored === undefined)
    throw new SettingsError(
      `${nameOf(settings, path)}: nothing was ever sealed here: set the new key alone, and start`,
    );
  const current = ofInstallation(settings, keys, stored);
  if (stored.before !== undefined) return { masterKey: current, rotating: true };
  return { masterKey: masterKeyOf(first, second), rotating: false };
}

/**
 * After a run that found nothing under the key before. Ends the rotation where the run before found nothing either: what writers that nobody knows of sealed since the first of the two would have
 * been found by the second. Does nothing where processes seal with the key before, and names them.
 */
export const endRotation = (
  server: Server,
  { masterKey, isSecond }: Rotation,
): Promise<{ readonly ended: boolean; readonly late: readonly string[] }> =>
  endSweep(databaseConfig(server, "platform"), {
    isSecond,
    fingerprint: fingerprintOf(masterKey),
  });

/** The processes that run and seal with another key. */
export const processesWithout = (
  server: Server,
  masterKey: MasterKey,
): Promise<readonly string[]> =>
  processesSealingElse(databaseConfig(server, "platform"), fingerprintOf(masterKey));

const mostNamed = 10;
/** The first of many. */
export const named = (processes: readonly string[]): string =>
  [
    ...processes.slice(0, mostNamed),
    ...(processes.length > mostNamed ? [`and ${processes.length - mostNamed} more`] : []),
  ].join(", ");

const fingerprintOf = (key: Buffer): string => hash("sha256", key, "hex").slice(0, 16);
/** Of the key that seals, and of the other one. */
export const fingerprintsOf = (masterKey: MasterKey): readonly string[] =>
  keysOf(masterKey).map(fingerprintOf);

/** The first 16 digits of the SHA-256 of a key's bytes, of both while two are given: tells which key it is and gives nothing of it away. Undefined when there is none here. */
export function masterKeyFingerprint(settings: KeySettings): string | undefined {
  const { keys } = findKeys(settings);
  return keys.length === 0 ? undefined : keys.map(fingerprintOf).join(",");
}

/** Whether what is configured here opens the installation's sample. Changes nothing of an installation that has run. */
export async function masterKeyState(
  settings: KeySettings,
  server: Server,
): Promise<{
  readonly state: "opens" | "rotating" | "missing" | "other" | "untried";
  readonly from: string;
  /** The processes that run and seal with another key than the installation's. */
  readonly late: readonly string[];
}> {
  const { keys, path } = findKeys(settings);
  const from = nameOf(settings, path);
  const none = { from, late: [] };
  if (keys.length === 0) return { state: "missing", ...none };
  const stored = await readKeySamples(databaseConfig(server, "platform"));
  if (stored === undefined) return { state: "untried", ...none };
  const { sample, before } = stored;
  const thatOpens = (sealed: string) => keys.find((key) => opensSample(key, sealed));
  const sealing = thatOpens(sample);
  if (sealing === undefined || (before !== undefined && thatOpens(before) === undefined))
    return { state: "other", ...none };
  const late = await processesWithout(server, sealing);
  return { state: before === undefined ? "opens" : "rotating", from, late };
}

const nameOf = (settings: KeySettings, path: string): string =>
  settings.masterKey === undefined ? path : "HELIOGRAPH_MASTER_KEY";

const otherKey = (settings: KeySettings, path: string): SettingsError =>
  new SettingsError(
    `${nameOf(settings, path)}: not the key of this installation, whose secrets were sealed with another one`,
  );

/** One key, or two while a rotation is under way. */
function findKeys({ masterKey, dataDir }: KeySettings): {
  readonly keys: readonly Buffer[];
  readonly path: string;
} {
  const path = join(resolve(dataDir), "master.key");
  const keys =
    masterKey === undefined
      ? readKeys(path)
      : masterKey.split(",").map((each) => Buffer.from(each, "hex"));
  return { path, keys };
}

export function opensSample(key: Buffer, sealed: string): boolean {
  try {
    return openSecret(key, sealed) === sample;
  } catch {
    return false;
  }
}

/** A key a line. */
function readKeys(path: string): readonly Buffer[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw new StartError(`${path} cannot be read (${code})`);
  }
  if (!/^[0-9a-f]{64}(\s+[0-9a-f]{64})?$/i.test(text))
    throw new StartError(`${path} does not hold 64 hexadecimal digits`);
  return text.split(/\s+/).map((key) => Buffer.from(key, "hex"));
}

/** Writes a new key into the file: whole and on disk, or not at all. When another process has written one in this moment, gives that. */
function makeKey(path: string): { readonly key: Buffer; readonly made: boolean } {
  const key = randomBytes(32);
  const folder = dirname(path);
  const draft = `${path}.${process.pid}`;
  try {
    const newFolder = mkdirSync(folder, { recursive: true });
    rmSync(draft, { force: true });
    const file = openSync(draft, "wx", 0o600);
    try {
      writeSync(file, `${key.toString("hex")}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // Unlike a rename, a link never replaces a key that is there.
    linkSync(draft, path);
    syncFolder(folder);
    if (newFolder !== undefined) syncFolder(dirname(newFolder));
    return { key, made: true };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const [theirs] = code === "EEXIST" ? readKeys(path) : [];
    if (theirs !== undefined) return { key: theirs, made: false };
    throw new StartError(`${path} cannot be written (${code})`);
  } finally {
    rmSync(draft, { force: true });
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
