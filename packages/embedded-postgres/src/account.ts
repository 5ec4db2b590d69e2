import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { EmbeddedPostgresError } from "./error.ts";

/** The operating system account the server runs under; undefined means: our own. */
export type Account =
  | { readonly name: string; readonly uid: number; readonly gid: number }
  | undefined;

/**
 * PostgreSQL refuses to run as root, so root starts it as the owner of an existing cluster, else as `postgres`, else
 * as `nobody`. Everyone else starts it as themselves.
 *
 * @throws EmbeddedPostgresError when an existing cluster belongs to somebody we cannot act for.
 */
export function accountFor(clusterFolder: string): Account {
  const ownUid = process.getuid?.() ?? -1;
  const cluster = statSync(clusterFolder, { throwIfNoEntry: false });
  if (ownUid !== 0) {
    if (cluster && cluster.uid !== ownUid) {
      throw new EmbeddedPostgresError(
        `the database in ${clusterFolder} belongs to user id ${cluster.uid}, this process runs as ${ownUid}`,
      );
    }
    return undefined;
  }
  const accounts = readAccounts();
  const byUid =
    cluster && cluster.uid !== 0 ? accounts.find((a) => a.uid === cluster.uid) : undefined;
  const byName = (name: string) => accounts.find((a) => a.name === name && a.uid !== 0);
  return (
    byUid ?? byName("postgres") ?? byName("nobody") ?? { name: "65534", uid: 65534, gid: 65534 }
  );
}

/** Whether the account can enter the folder: tried for real, so that access lists and mount options count too. */
export function canEnter(folder: string, account: Account): boolean {
  try {
    execFileSync("/bin/sh", ["-c", 'cd "$1"', "sh", folder], {
      cwd: "/",
      stdio: "ignore",
      ...identity(account),
    });
    return true;
  } catch (error) {
    // Only the shell's own answer is one. Read from anything else, a cluster would be laid out anew in another place.
    if (typeof (error as { status?: unknown }).status === "number") return false;
    throw error;
  }
}

/** The spawn options that make a child run as the account. */
export function identity(account: Account): { uid?: number; gid?: number } {
  return account ? { uid: account.uid, gid: account.gid } : {};
}

function readAccounts(): { name: string; uid: number; gid: number }[] {
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= 4)
    .map(([name = "", , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
