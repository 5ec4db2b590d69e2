import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Instance } from "../../services/standalone/src/instance.ts";

export type { Instance };

const readyzTimeoutMs = 2_000;

/** The data folder that `npm start` uses with this environment. */
export const dataDirOf = (env: NodeJS.ProcessEnv): string =>
  resolve(env["HELIOGRAPH_DATA_DIR"] || ".heliograph");

/** What an instance wrote into its data folder, or undefined when there is nothing or not all of it. */
export function readInstance(dataDir: string): Instance | undefined {
  try {
    const value = JSON.parse(readFileSync(join(dataDir, "dev.json"), "utf8")) as Instance;
    return typeof value.baseUrl === "string" && Number.isInteger(value.pid) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The instance that runs on this data folder and is ready; undefined when there is none. The file of one that was killed is not believed. */
export async function findInstance(dataDir: string): Promise<Instance | undefined> {
  const instance = readInstance(dataDir);
  if (instance === undefined || !isAlive(instance.pid)) return undefined;
  try {
    const signal = AbortSignal.timeout(readyzTimeoutMs);
    const answer = await fetch(`${instance.baseUrl}/readyz`, { signal });
    await answer.body?.cancel();
    return answer.status === 200 ? instance : undefined;
  } catch {
    return undefined;
  }
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
