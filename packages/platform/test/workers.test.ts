import { fileURLToPath } from "node:url";
import { freePort, spawnService, until } from "@heliograph/testkit";
import { expect, onTestFinished, test } from "vitest";

const child = fileURLToPath(new URL("./workers-child.ts", import.meta.url));

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function start(args: readonly string[] = []) {
  const port = await freePort();
  const env = { HELIOGRAPH_PORT: String(port), HELIOGRAPH_WORKERS: "2" };
  const parent = spawnService(child, env, args);
  onTestFinished(async () => void (await parent.stop()));
  // A connection that was handed to a worker as it died may stay without an answer.
  const get = async (path = "/") => {
    const signal = AbortSignal.timeout(3_000);
    return (await fetch(`http://127.0.0.1:${port}${path}`, { signal })).text();
  };
  const listened = () =>
    [...parent.output().matchAll(/"pid":(\d+),"port":\d+,"msg":"a worker is listening"/g)].map(
      ([, pid]) => Number(pid),
    );
  const listen = (count: number) =>
    until(() => listened().length === count, { timeoutMs: 30_000, what: `${count} listened` });
  return { parent, get, listened, listen };
}

test("workers share one port and what they count, a killed one is replaced, and SIGTERM ends them in order", async () => {
  const { parent, get, listened, listen } = await start();
  await listen(2);
  const answers = await Promise.all(Array.from({ length: 10 }, () => get()));
  expect(new Set(answers.map(Number))).toEqual(new Set(listened()));
  // Whichever is asked: neither has counted them all.
  for (let scrape = 0; scrape < 3; scrape++)
    expect(await get("/metrics")).toContain("\nanswers 10");

  const [killed, other] = listened();
  process.kill(killed!, "SIGKILL");
  // Meanwhile the other one answers; what the dead one was handed at that moment is cut.
  await until(async () => (await get().catch(() => "")) === String(other));
  await listen(3);
  expect(await parent.stop(20_000)).toEqual({ code: 0, signal: null });
  expect(listened().filter(isAlive)).toEqual([]);
}, 60_000);

test("workers end with the process that has them, also when it is killed", async () => {
  const { parent, listened, listen } = await start();
  await listen(2);
  parent.kill("SIGKILL");
  await parent.exited;
  await until(() => listened().filter(isAlive).length === 0, { what: "they have ended" });
}, 60_000);

test("what every worker refuses at the start ends them all, with the code of a refusal", async () => {
  const { parent } = await start(["refuses"]);
  expect(await parent.exited).toEqual({ code: 2, signal: null });
}, 60_000);
