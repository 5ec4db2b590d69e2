import pg from "pg";

/** What the installation as a whole has to remember, in the platform database. One row. */
const ddl = `
create schema if not exists platform;
create table if not exists platform.installation (
  sole boolean primary key default true check (sole),
  key_sample text not null,
  created_at timestamptz not null default now()
);
`;

/** The text that the first process sealed with the master key, undefined before there was one. */
export const readKeySample = (config: pg.ClientConfig): Promise<string | undefined> =>
  onInstallation(config, async (client) => {
    const { rows } = await client.query<{ key_sample: string }>(
      "select key_sample from platform.installation",
    );
    return rows[0]?.key_sample;
  });

/** Stores the sample unless there is one; gives the one that is stored. */
export const addKeySample = (config: pg.ClientConfig, sample: string): Promise<string> =>
  onInstallation(config, async (client) => {
    await client.query(
      "insert into platform.installation (key_sample) values ($1) on conflict do nothing",
      [sample],
    );
    const { rows } = await client.query<{ key_sample: string }>(
      "select key_sample from platform.installation",
    );
    return rows[0]!.key_sample;
  });

/** Stores the sample in place of whatever there was. */
export const replaceKeySample = (config: pg.ClientConfig, sample: string): Promise<void> =>
  onInstallation(config, async (client) => {
    await client.query(
      "insert into platform.installation (key_sample) values ($1) on conflict (sole) do update set key_sample = excluded.key_sample",
      [sample],
    );
  });

/** Creates what is missing; concurrent starts wait for each other. */
async function onInstallation<T>(
  config: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    ...config,
    application_name: "heliograph platform",
    connectionTimeoutMillis: 10_000,
  });
  // A connection that is lost between two statements is an event; the next statement says so where it can be answered.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("select pg_advisory_lock(7233102)");
    await client.query(ddl);
    return await work(client);
  } finally {
    await client.end();
  }
}
