import type pg from "pg";

/** The folder of the cluster on which a server runs. */
export async function clusterOf(client: pg.ClientBase): Promise<string | undefined> {
  const { rows } = await client.query<{ data_directory: string }>("show data_directory");
  return rows[0]?.data_directory;
}

/** Begins a low-level backup. Until this connection ends the log of its time is kept. */
export async function beginBackup(client: pg.ClientBase): Promise<void> {
  const slot = `heliograph_backup_${process.pid}`;
  await client.query("select pg_create_physical_replication_slot($1, true, true)", [slot]);
  await client.query("select pg_backup_start('heliograph', fast => true)");
}

/** Ends it. Gives the label that the copy needs, and the name of the last file of the log that it needs. */
export async function endBackup(
  client: pg.ClientBase,
): Promise<{ readonly label: string; readonly last: string }> {
  const { rows } = await client.query<{ label: string; last: string }>(
    "select labelfile as label, pg_walfile_name(lsn) as last from pg_backup_stop(wait_for_archive => false)",
  );
  return rows[0]!;
}
