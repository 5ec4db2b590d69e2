import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

/** A checkout with nothing but the launcher, on whose PATH `npx` is this shell script in place of the registry's pnpm. */
function checkout(npx: string): {
  /** Makes the file `told` as soon as `until` has been said. */
  run: (until?: RegExp) => Promise<{ code: number; said: string; tookMs: number }>;
  lock: string;
} {
  const root = mkdtempSync(join(tmpdir(), "heliograph-launcher-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ["scripts", "fake", "node_modules"]) mkdirSync(join(root, folder));
  copyFileSync(new URL("../with-pnpm.mjs", import.meta.url), join(root, "scripts/with-pnpm.mjs"));
  writeFileSync(join(root, "package.json"), JSON.stringify({ packageManager: "pnpm@0.0.0" }));
  // No name below .invalid is ever found (RFC 6761).
  writeFileSync(join(root, ".npmrc"), "registry=http://registry.invalid/\n");
  writeFileSync(join(root, "fake/npx"), `#!/bin/sh\n${npx}\n`);
  chmodSync(join(root, "fake/npx"), 0o755);
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_|proxy$/i.test(name)),
  );
  return {
    lock: join(root, "node_modules/.heliograph-installing"),
    async run(until) {
      const startedMs = performance.now();
      const child = spawn(
        process.execPath,
        [join(root, "scripts/with-pnpm.mjs"), "echo", "the command ran"],
        {
          env: { ...env, PATH: `${join(root, "fake")}${delimiter}${process.env["PATH"]}` },
          stdio: ["ignore", "pipe", "pipe"],
        },
      );
      let said = "";
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => {
          said += text;
          if (until?.test(said)) writeFileSync(join(root, "told"), "");
        });
      const [code] = (await once(child, "close")) as [number];
      return { code, said, tookMs: performance.now() - startedMs };
    },
  };
}

/** In the shell: looks ten times a second until it is so, and fails after 20 seconds. */
const waitUntil = (condition: string): string =>
  `n=0; until ${condition}; do n=$((n + 1)); [ $n -lt 200 ] || exit 4; sleep 0.1; done`;

test.each([
  ["empty", ""],
  ["that names a live process which installs nothing", String(process.pid)],
])(
  "a lock %s is waited for in words, and then taken over",
  async (_what, content) => {
    const { run, lock } = checkout("exit 0");
    writeFileSync(lock, content);
    const { code, said, tookMs } = await run();
    expect(code).toBe(0);
    expect(said).toMatch(
      content === "" ? /Waiting for another process/ : `Waiting for process ${content}`,
    );
    expect(said).toContain("the command ran");
    expect(tookMs).toBeGreaterThan(5_000);
    expect(existsSync(lock)).toBe(false);
  },
  30_000,
);

test("an install that takes longer than a lock may stay untouched is waited for", async () => {
  const lock = "node_modules/.heliograph-installing";
  // Until it has been touched more than the eight seconds after which it would be taken over.
  const touched = `[ $(($(stat -c %Y ${lock}) - $(stat -c %Y installs))) -gt 9 ]`;
  const { run } = checkout(
    `[ -e installs ] && echo "AGAIN" && exit 3; touch installs; ${waitUntil(touched)}`,
  );
  const [one, two] = await Promise.all([run(), run()]);
  expect([one.code, two.code]).toEqual([0, 0]);
}, 60_000);

test("an install shows how far it is, and says that the registry does not answer", async () => {
  const progress = "Progress: resolved 7, reused 3, downloaded 2, added 1";
  const { run } = checkout(`echo "${progress}"; ${waitUntil("[ -e told ]")}`);
  const { code, said } = await run(/resolved 7[^]*does not answer|does not answer[^]*resolved 7/);
  expect(code).toBe(0);
  expect(said).toContain("Installing dependencies with pnpm@0.0.0");
  expect(said).toContain("Progress: resolved 7");
  expect(said).toMatch(/registry http:\/\/registry\.invalid\/ does not answer/);
}, 30_000);
