import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const launcher = new URL("../with-pnpm.mjs", import.meta.url).pathname;
const deadlineMs = 4_000;

/** Prints its pid, counts the SIGINTs it gets, and ends with 5 a little after the last one; SIGTERM kills it. */
const patient = `
  let interrupts = 0;
  process.on("SIGINT", () => {
    interrupts += 1;
    if (interrupts === 1) setTimeout(() => { console.log("interrupts " + interrupts); process.exit(5); }, 250);
  });
  setInterval(() => {}, 1000);
  console.log("pid " + process.pid);
`;

function launch(command: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [launcher, ...command], {
    env: { ...process.env, npm_lifecycle_event: undefined, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = once(child, "close", { signal: AbortSignal.timeout(deadlineMs) }) as Promise<
    [number | null, NodeJS.Signals | null]
  >;
  return { child, ended, output: () => output };
}

async function until<T>(probe: () => T | undefined | false): Promise<T> {
  const endMs = Date.now() + deadlineMs;
  for (;;) {
    const value = probe();
    if (value !== undefined && value !== false) return value as T;
    if (Date.now() > endMs) throw new Error("the condition did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const pidOf = (running: { output: () => string }): Promise<number> =>
  until(() => {
    const found = /pid (\d+)/.exec(running.output());
    return found ? Number(found[1]) : undefined;
  });

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const startPatient = () => launch(["node", "-e", patient]);

test("the command runs on Node 24, keeps what it compiled, and its exit code is the launcher's", async () => {
  const running = launch([
    "node",
    "-e",
    "console.log(process.versions.node, !!process.env.NODE_COMPILE_CACHE); process.exitCode = 7",
  ]);
  expect(await running.ended).toEqual([7, null]);
  expect(running.output()).toMatch(/^(2[4-9]|[3-9]\d)\.\S+ true/);
});

test("a command that does not exist ends with 127", async () => {
  expect(await launch(["no-such-command-here"]).ended).toEqual([127, null]);
});

test("SIGTERM reaches the command and the launcher ends by the same signal", async () => {
  const running = startPatient();
  const pid = await pidOf(running);
  running.child.kill("SIGTERM");
  expect(await running.ended).toEqual([null, "SIGTERM"]);
  expect(isRunning(pid)).toBe(false);
});

test("an interrupt that arrives twice, from the terminal and from npm, reaches the command once", async () => {
  const running = startPatient();
  await pidOf(running);
  running.child.kill("SIGINT");
  running.child.kill("SIGINT");
  expect(await running.ended).toEqual([5, null]);
  expect(running.output()).toContain("interrupts 1\n");
});

test("a launcher that is killed takes the command with it and leaves its pipes closed", async () => {
  const running = startPatient();
  const pid = await pidOf(running);
  running.child.kill("SIGKILL");
  // `close` comes only when nobody holds standard output any more, so a command left behind would time out here.
  expect(await running.ended).toEqual([null, "SIGKILL"]);
  await until(() => !isRunning(pid));
});

test("a launcher whose npm was killed stops the command, with or without a shell between", async () => {
  for (const shells of [1, 2]) {
    const script = shells === 1 ? '"$@" & wait' : '/bin/sh -c \'"$@" & wait\' sh "$@" & wait';
    const npm = spawn(
      "/bin/sh",
      ["-c", script, "sh", process.execPath, launcher, "node", "-e", patient],
      {
        env: { ...process.env, npm_lifecycle_event: "start" },
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    let output = "";
    npm.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const exited = once(npm, "exit", { signal: AbortSignal.timeout(deadlineMs) });
    const pid = await pidOf({ output: () => output });
    npm.kill("SIGKILL");
    await exited;
    expect(await until(() => !isRunning(pid))).toBe(true);
  }
});
