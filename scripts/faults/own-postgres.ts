import { join } from "node:path";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { postgresProcesses } from "@heliograph/testkit";
import type { World } from "./world.ts";

/** PostgreSQL as a server that the product does not look after: it only knows the address. */
export type OwnPostgres = {
  readonly port: number;
  /** The administration database, with user and password. */
  readonly url: string;
  stop(): Promise<void>;
  /** SIGKILL of the postmaster and everything it started. */
  kill(): Promise<void>;
  /** On the same port; resolves when it answers. */
  start(): Promise<void>;
};

/** Ends the product, runs its data's server for it while `work` runs the product in its own way, and starts it as usual again. */
export async function withOwnPostgres(
  world: World,
  work: (server: OwnPostgres) => Promise<string | void>,
): Promise<string | void> {
  const { code } = await world.instance.stop();
  if (code !== 0) throw new Error(`the product did not stop: ${world.instance.output()}`);
  const dataDir = join(world.dataDir, "postgres");
  let running = await startEmbeddedPostgres({ dataDir });
  const { url } = running;
  const port = Number(new URL(url).port);
  let up = true;
  const restore = async (): Promise<void> => {
    if (!up) running = await startEmbeddedPostgres({ dataDir, port });
    const { instance } = world;
    const ended = await instance.stop();
    await running.stop();
    await world.start();
    if (ended.code !== 0)
      throw new Error(
        `SIGTERM ended it with ${ended.code ?? ended.signal}: ${instance.output().slice(-2_000)}`,
      );
  };
  let note: string | void;
  try {
    note = await work({
      port,
      url,
      async stop() {
        up = false;
        await running.stop();
      },
      async kill() {
        up = false;
        for (const pid of postgresProcesses(world.dataDir)) process.kill(pid, "SIGKILL");
        await running.exited;
        await running.stop();
      },
      async start() {
        running = await startEmbeddedPostgres({ dataDir, port });
        up = true;
      },
    });
  } catch (error) {
    // What went wrong first is what is told.
    await restore().catch(() => undefined);
    throw error;
  }
  await restore();
  return note;
}
