import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { masterKeyOf, sealSecret } from "@heliograph/contracts";
import { spawnService, testDatabase, testServer } from "@heliograph/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fingerprintsOf, openMasterKey, type KeyRecord, type KeyRule } from "../src/master-key.ts";
import { showProcess } from "../src/shown-process.ts";
import { addKeySample, beginKeyRotation } from "../src/store.ts";

let dataDir: string;
beforeEach(() => void (dataDir = mkdtempSync(join(tmpdir(), "master-key-"))));
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));
const path = (): string => join(dataDir, "master.key");

/** An installation as the platform database remembers it. */
function installation(
  state: { sample?: string; before?: string; hasRun?: boolean; mayBe?: boolean } = {},
) {
  const record: KeyRecord & { sample: string | undefined } = {
    sample: state.sample,
    hasRun: state.hasRun ?? false,
    readSamples: async () =>
      record.sample === undefined ? undefined : { sample: record.sample, before: state.before },
    addSample: async (sealed) => (record.sample ??= sealed),
    mayBe: () => state.mayBe ?? true,
  };
  return record;
}
const open = (rule: KeyRule, record: KeyRecord, masterKey?: Buffer) =>
  openMasterKey({ dataDir, masterKey: masterKey?.toString("hex") }, rule, record);

describe("the master key", () => {
  it("is made once, for its owner alone, and found again", async () => {
    const record = installation();
    const key = await open("made", record);
    expect(readFileSync(path(), "utf8")).toBe(`${key.toString("hex")}\n`);
    expect(statSync(path()).mode & 0o077).toBe(0);
    expect(readdirSync(dataDir)).toEqual(["master.key"]);
    for (const rule of ["made", "given", "unused"] as const)
      expect(await open(rule, record)).toEqual(key);
  });

  it("is never made by a service that runs alone", async () => {
    await expect(open("given", installation())).rejects.toThrow(
      /^HELIOGRAPH_MASTER_KEY: .*must be/,
    );
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it("is never made anew where something may be sealed", async () => {
    const record = installation();
    await open("made", record);
    rmSync(path());
    for (const sealed of [record, installation({ hasRun: true })])
      await expect(open("made", sealed)).rejects.toThrow(
        /master\.key is missing.*put the file back/,
      );
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it("is refused when it is another installation's, wherever it comes from", async () => {
    const record = installation();
    await open("given", record, randomBytes(32));
    const other = randomBytes(32);
    for (const rule of ["given", "made", "unused"] as const)
      await expect(open(rule, record, other)).rejects.toThrow(
        /^HELIOGRAPH_MASTER_KEY: not the key/,
      );
    writeFileSync(path(), other.toString("hex"));
    await expect(open("made", record)).rejects.toThrow(/master\.key: not the key of this/);
    // An earlier release left no sample, only keys that were derived from its own.
    const earlier = installation({ hasRun: true, mayBe: false });
    await expect(open("made", earlier)).rejects.toThrow(/not the key/);
    expect(earlier.sample).toBeUndefined();
  });

  it("may be one of two while it is rotated: the installation says which one seals, and needs both until the end", async () => {
    const [first, second] = [randomBytes(32), randomBytes(32)];
    const pair = `${second.toString("hex")},${first.toString("hex")}`;
    const sealed = (key: Buffer) => sealSecret(key, "heliograph master key");
    const openWith = (masterKey: string, record: KeyRecord) =>
      openMasterKey({ dataDir, masterKey }, "given", record);
    // Before the rotation begins, and while it is under way, whatever comes first in the setting.
    const before = await openWith(pair, installation({ sample: sealed(first) }));
    expect([before.toString("hex"), before.other]).toEqual([first.toString("hex"), second]);
    const rotating = installation({ sample: sealed(second), before: sealed(first) });
    const during = await openWith(pair, rotating);
    expect([during.toString("hex"), during.other]).toEqual([second.toString("hex"), first]);
    await expect(openWith(second.toString("hex"), rotating)).rejects.toThrow(
      /is being rotated: give the one before it too/,
    );
    await expect(openWith(first.toString("hex"), rotating)).rejects.toThrow(/not the key of this/);
    writeFileSync(path(), `${second.toString("hex")}\n${first.toString("hex")}\n`);
    expect((await open("made", rotating)).other).toEqual(first);
  });

  it("seals nothing in a process that read it before a rotation began and shows itself afterwards", async () => {
    const { config, drop } = await testDatabase();
    const [from, next] = [randomBytes(32), randomBytes(32)].map((key) => ({
      key,
      sample: sealSecret(key, "heliograph master key"),
    })) as [{ key: Buffer; sample: string }, { key: Buffer; sample: string }];
    await addKeySample(config, from.sample);
    const show = (key: Buffer, other?: Buffer) =>
      showProcess(config, masterKeyOf(key, other), { services: ["wallet"] });
    const begin = () =>
      beginKeyRotation(config, {
        from: from.sample,
        next: next.sample,
        fingerprint: fingerprintsOf(next.key)[0]!,
      });
    await show(from.key, next.key);
    await expect(begin()).resolves.toEqual({ begun: true, late: [] });
    await expect(show(from.key, next.key)).rejects.toThrow(/began while this process started/);
    await show(next.key, from.key);
    await drop();
  });

  it("is not kept when another first start was quicker", async () => {
    const theirs = randomBytes(32);
    const record = installation();
    record.addSample = async () => sealSecret(theirs, "heliograph master key");
    await expect(open("made", record)).rejects.toThrow(/not the key/);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it("is refused when its file is damaged", async () => {
    for (const text of ["", "00", "z".repeat(64), "0".repeat(65)]) {
      writeFileSync(path(), text);
      await expect(open("made", installation())).rejects.toThrow(/does not hold 64 hexadecimal/);
    }
  });

  it("is not needed by tools that seal nothing", async () => {
    const record = installation({ hasRun: true });
    expect(await open("unused", record)).toHaveLength(32);
    expect(record.sample).toBeUndefined();
    expect(readdirSync(dataDir)).toEqual([]);
  });
});

it("a service whose key differs from the installation's, or is missing, ends with one line and code 2", async () => {
  const server = await testServer();
  const url = new URL(server.baseUrl);
  url.pathname = `/${server.namePrefix}keys`;
  const start = (service: string, key: string) =>
    spawnService(new URL(`../../../services/${service}/src/main.ts`, import.meta.url).pathname, {
      HELIOGRAPH_DATABASE_URL: url.toString(),
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_MASTER_KEY: key,
      HELIOGRAPH_LOG_LEVEL: "info",
    });
  const first = start("wallet", "a".repeat(64));
  try {
    await first.outputMatching(/"msg":"running"/);
    for (const [key, line] of [
      ["b".repeat(64), /^heliograph: HELIOGRAPH_MASTER_KEY: not the key [^\n]*\n$/],
      ["", /^heliograph: HELIOGRAPH_MASTER_KEY: a service that runs alone [^\n]*\n$/],
    ] as const)
      for (const service of ["webhooks", "ingress"]) {
        const refused = start(service, key);
        expect((await refused.exited).code).toBe(2);
        expect(refused.output()).toMatch(line);
      }
  } finally {
    await first.stop();
    await server.dropAll();
  }
}, 60_000);
