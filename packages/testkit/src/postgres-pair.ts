import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  backUpEmbeddedPostgres,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from "@heliograph/embedded-postgres";
import pg from "pg";
import { newDataDir, postgresProcesses, removeDataDir } from "./instance.ts";
import { networkLink } from "./network-link.ts";
import { until } from "./until.ts";

/** A primary whose commits wait for its standby, and the one address by which others know whichever of them serves. */
export type PostgresPair = {
  /** The administration database at the address, with user and password. */
  readonly url: string;
  /**
   * The primary is killed, or only stands still until the address leads away from it. Resolves when the standby is promoted and the address leads there; nothing of
   * the primary's disk is read again.
   */
  failOver(how: "killed" | "standing still"): Promise<void>;
  /** While `work` runs the standby stands still: commits wait for it. */
  withoutStandby(work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
};

export async function postgresPair(): Promise<PostgresPair> {
  const [primaryDir, standbyDir] = [newDataDir(), newDataDir()];
  const closing: (() => Promise<void>)[] = [
    () => removeDataDir(standbyDir),
    () => removeDataDir(primaryDir),
  ];
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end();
  };
  try {
    const primary = await startEmbeddedPostgres({ dataDir: join(primaryDir, "postgres") });
    closing.push(() => primary.stop());
    const standby = await standbyOf(primary, primaryDir, standbyDir);
    closing.push(() => standby.stop());
    await waitForStandby(primary);
    const address = await networkLink({ target: portOf(primary) });
    closing.push(() => address.close());
    const url = new URL(primary.url);
    url.port = String(address.port);
    return {
      url: url.toString(),
      async failOver(how) {
        signal(primaryDir, how === "killed" ? "SIGKILL" : "SIGSTOP");
        await ask(standby, "select pg_promote()");
        address.lead(portOf(standby));
        // It wakes up as a primary that no address leads to, and whose commits nobody confirms.
        if (how === "standing still") signal(primaryDir, "SIGCONT");
      },
      async withoutStandby(work) {
        signal(standbyDir, "SIGSTOP");
        try {
          await work();
        } finally {
          signal(standbyDir, "SIGCONT");
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function signal(dataDir: string, name: NodeJS.Signals): void {
  for (const pid of postgresProcesses(dataDir)) process.kill(pid, name);
}

const portOf = ({ url }: EmbeddedPostgres): number => Number(new URL(url).port);

/** A copy of the primary that follows its log. */
async function standbyOf(
  primary: EmbeddedPostgres,
  primaryDir: string,
  standbyDir: string,
): Promise<EmbeddedPostgres> {
  const dataDir = join(standbyDir, "postgres");
  const never = new AbortController().signal;
  await backUpEmbeddedPostgres(join(primaryDir, "postgres"), primary.config, dataDir, never);
  await writeFile(join(dataDir, "cluster", "standby.signal"), "");
  const { port, username, password } = new URL(primary.url);
  return startEmbeddedPostgres({
    dataDir,
    settings: {
      primary_conninfo: `host=127.0.0.1 port=${port} user=${username} password=${password} application_name=standby`,
    },
  });
}

/** From here on a commit is answered when both have it on disk. */
async function waitForStandby(primary: EmbeddedPostgres): Promise<void> {
  await ask(primary, "alter system set synchronous_standby_names = 'standby'");
  await ask(primary, "select pg_reload_conf()");
  await until(
    async () => {
      const [row] = await ask(primary, "select sync_state from pg_stat_replication");
      return row?.["sync_state"] === "sync";
    },
    { what: "the standby follows, and commits wait for it" },
  );
}

async function ask(server: EmbeddedPostgres, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(server.config);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
