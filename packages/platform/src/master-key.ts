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
import { openSecret, sealSecret } from "@heliograph/contracts";
import {
  databaseConfig,
  SettingsError,
  StartError,
  type Server,
  type Settings,
} from "@heliograph/runtime";
import { readKeySample, replaceKeySample } from "./store.ts";

/**
 * Where a process may have the master key from. `given`: a service that runs alone is given the installation's. `made`: the whole product makes one at the
 * first start of an installation. `unused`: a tool that seals and opens nothing goes without.
 */
export type KeyRule = "given" | "made" | "unused";

/** What the installation knows of its key: a text sealed with it, in the platform database. */
export type KeyRecord = {
  /** Whether a service has run before, and may have sealed something. */
  readonly hasRun: boolean;
  readSample(): Promise<string | undefined>;
  /** Gives the one that is stored, which may be another process's. */
  addSample(sealed: string): Promise<string>;
  /** Whether what earlier releases, which kept no sample, derived from their key can come from this one. */
  mayBe(key: Buffer): boolean;
};

type KeySettings = Pick<Settings, "masterKey" | "dataDir">;
const sample = "heliograph master key";

/**
 * The key that seals secrets and derives the demo partner's keys: `HELIOGRAPH_MASTER_KEY`, else the `master.key` of the data folder. It is compared with the
 * installation's before anything is sealed with it, and never made anew where something may be sealed already. Throws SettingsError or StartError.
 */
export async function openMasterKey(
  settings: KeySettings,
  rule: KeyRule,
  record: KeyRecord,
): Promise<Buffer> {
  const { key: given, path } = findKey(settings);
  if (given === undefined && rule === "unused") return Buffer.alloc(32);
  if (given === undefined && rule === "given")
    throw new SettingsError(
      `HELIOGRAPH_MASTER_KEY: a service that runs alone must be given the installation's key, by this variable or as ${path}`,
    );
  const stored = await record.readSample();
  if (given === undefined && (stored !== undefined || record.hasRun))
    throw new StartError(
      `${path} is missing, and this installation holds what was sealed with its key: put the file back, or set HELIOGRAPH_MASTER_KEY`,
    );
  const { key, made } = given === undefined ? makeKey(path) : { key: given, made: false };
  if (stored === undefined && !record.mayBe(key)) throw otherKey(settings, path);
  if (opens(key, stored ?? (await record.addSample(sealSecret(key, sample))))) return key;
  // Another first start was quicker, with a key of its own.
  if (made) rmSync(path);
  throw otherKey(settings, path);
}

/** Makes the given key the installation's, after the old one was lost: what that one sealed stays sealed. Throws SettingsError when none is given. */
export async function acceptMasterKey(settings: Settings, server: Server): Promise<void> {
  const { key, path } = findKey(settings);
  if (key === undefined)
    throw new SettingsError(
      `HELIOGRAPH_MASTER_KEY: give the new key, by this variable or as ${path}`,
    );
  await replaceKeySample(databaseConfig(server, "platform"), sealSecret(key, sample));
}

/** The first 16 digits of the SHA-256 of the key's bytes: tells which key it is and gives nothing of it away. Undefined when there is none here. */
export function masterKeyFingerprint(settings: KeySettings): string | undefined {
  const { key } = findKey(settings);
  return key && hash("sha256", key, "hex").slice(0, 16);
}

/** Whether the key that is configured here opens the installation's sample. Changes nothing of an installation that has run. */
export async function masterKeyState(
  settings: KeySettings,
  server: Server,
): Promise<{ readonly state: "opens" | "missing" | "other" | "untried"; readonly from: string }> {
  const { key, path } = findKey(settings);
  const from = settings.masterKey === undefined ? path : "HELIOGRAPH_MASTER_KEY";
  if (key === undefined) return { state: "missing", from };
  const stored = await readKeySample(databaseConfig(server, "platform"));
  if (stored === undefined) return { state: "untried", from };
  return { state: opens(key, stored) ? "opens" : "other", from };
}

const otherKey = (settings: KeySettings, path: string): SettingsError =>
  new SettingsError(
    `${settings.masterKey === undefined ? path : "HELIOGRAPH_MASTER_KEY"}: not the key of this installation, whose secrets were sealed with another one`,
  );

function findKey({ masterKey, dataDir }: KeySettings): { key: Buffer | undefined; path: string } {
  const path = join(resolve(dataDir), "master.key");
  return { path, key: masterKey === undefined ? readKey(path) : Buffer.from(masterKey, "hex") };
}

function opens(key: Buffer, sealed: string): boolean {
  try {
    return openSecret(key, sealed) === sample;
  } catch {
    return false;
  }
}

function readKey(path: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new StartError(`${path} cannot be read (${code})`);
  }
  if (!/^[0-9a-f]{64}$/i.test(text))
    throw new StartError(`${path} does not hold 64 hexadecimal digits`);
  return Buffer.from(text, "hex");
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
    const theirs = code === "EEXIST" ? readKey(path) : undefined;
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
