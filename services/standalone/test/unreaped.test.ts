import { spawnSync } from "node:child_process";
import { spawnProgram } from "@heliograph/testkit";
import { expect, it, onTestFinished } from "vitest";
import { example, ownDataDir } from "./setting.ts";

/** A container as its engine starts one without --init. */
const [unshare, ...container] = [
  "unshare",
  "--pid",
  "--fork",
  "--mount-proc",
  "--kill-child",
] as const;
const child = new URL("unreaped-child.ts", import.meta.url).pathname;

it("in a container that waits for no dead process all data is there after kill -9 of everything", async ({
  skip,
}) => {
  const tried = spawnSync(unshare, [...container, "true"], { encoding: "utf8" });
  if (tried.status !== 0) skip(`unshare makes no namespaces here: ${tried.stderr}`);
  const run = spawnProgram(unshare, [
    ...container,
    process.execPath,
    child,
    ownDataDir(),
    JSON.stringify(example),
  ]);
  onTestFinished(async () => {
    run.kill("SIGKILL");
    await run.exited;
  });
  await run.exited;
  expect(run.output()).toBe(
    `${JSON.stringify({ first: 1, state: "Z", status: "delivered", code: 0 })}\n`,
  );
}, 180_000);
