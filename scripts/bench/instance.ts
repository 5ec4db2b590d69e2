import type { ChildProcess } from "node:child_process";
import { startInstance, type Instance } from "@heliograph/testkit";

/** The product as `npm start` runs it, allowed to send webhooks to this machine. */
export const startMeasured = (
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Instance> =>
  startInstance({
    dataDir,
    env: { HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8", ...env },
    readyTimeoutMs: 90_000,
  });

export function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
