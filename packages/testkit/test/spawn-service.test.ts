import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort, spawnService } from "../src/index.ts";

function entry(source: string): string {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-spawn-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "main.mts");
  writeFileSync(file, source);
  return file;
}

test("a TypeScript entry runs with the given environment and without vitest's", async () => {
  const file = entry(
    "const name: string = process.env.WHO!; console.log(`hello ${name} ${process.env.VITEST}`);",
  );
  const service = spawnService(file, { WHO: "ann" });
  expect(await service.exited).toEqual({ code: 0, signal: null });
  expect(service.output()).toBe("hello ann undefined\n");
});

test("stop lets the service end itself, and kills it when it does not", async () => {
  const polite = spawnService(
    entry(
      "process.on('SIGTERM', () => process.exit(7)); console.log('ready'); setInterval(() => {}, 1e6);",
    ),
  );
  await polite.outputMatching(/ready/);
  expect(await polite.stop()).toEqual({ code: 7, signal: null });
  const deaf = spawnService(
    entry("process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1e6);"),
  );
  await deaf.outputMatching(/ready/);
  expect(await deaf.stop(50)).toEqual({ code: null, signal: "SIGKILL" });
});

test("waiting for output of a service that ended fails at once and shows what it printed", async () => {
  const service = spawnService(entry("console.error('no database'); process.exit(1);"));
  await expect(service.outputMatching(/ready/)).rejects.toThrow(/ended.*\n.*no database/);
});

test("a free port is a port", async () => {
  expect(await freePort()).toBeGreaterThan(1023);
});
