import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@heliograph/testkit";

const program = "redis-server";

/** That there is no Redis to run, by the words that are printed; undefined where there is. */
export function redisIsMissing(): string | undefined {
  return spawnSync(program, ["--version"]).error && `${program} is not there`;
}

/**
 * A Redis with a folder of its own, on loopback, that evicts nothing, as queues ask for.
 *
 * @param fsync `always` is durable before each answer, `everysec` may lose the last second.
 */
export async function startRedis(fsync: "always" | "everysec") {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "heliograph-redis-"));
  const options = `--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly yes --appendfsync ${fsync} --maxmemory-policy noeviction`;
  const child = spawn(program, options.split(" "), { stdio: ["ignore", "ignore", "inherit"] });
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  return { fsync, port, url: `redis://127.0.0.1:${port}`, pid: child.pid!, stop };
}
