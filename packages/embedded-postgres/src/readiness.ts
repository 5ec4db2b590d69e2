import pg from "pg";
import { type Postmaster, runningPostmaster } from "./postmaster.ts";
import { waitUntil } from "./processes.ts";

/** Waits until the server answers a query; gives the reason when it ended or the deadline passed. */
export async function waitForAnswer(
  config: pg.ClientConfig,
  ended: () => string | undefined,
  timeoutMs: number,
): Promise<string | undefined> {
  let reason = "no answer";
  let refused = false;
  const answered = await waitUntil(
    async () => {
      if (ended() !== undefined) return true;
      const client = new pg.Client({ ...config, connectionTimeoutMillis: 5_000 });
      client.on("error", () => {});
      try {
        await client.connect();
        await client.query("select 1");
        return true;
      } catch (error) {
        reason = (error as Error).message;
        // Class 28, invalid authorization: the password will not become right by waiting.
        refused = String((error as { code?: string }).code).startsWith("28");
        return refused;
      } finally {
        await client.end().catch(() => {});
      }
    },
    { timeoutMs, everyMs: 25 },
  );
  if (refused) return reason;
  return ended() ?? (answered ? undefined : `${reason} within ${timeoutMs} ms`);
}

/** Whether a server of an ended owner serves the cluster and answers, starting up or recovering included. */
export async function answers(
  postmaster: Postmaster,
  clusterFolder: string,
  config: pg.ClientConfig,
  timeoutMs: number,
): Promise<boolean> {
  const reason = await waitForAnswer(
    { ...config, host: postmaster.socketFolder, port: postmaster.port },
    () => (runningPostmaster(clusterFolder)?.pid === postmaster.pid ? undefined : "gone"),
    timeoutMs,
  );
  return reason === undefined;
}
