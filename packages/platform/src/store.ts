import pg from "pg";

/** What the installation as a whole has to remember, in the platform database. One row. */
const ddl = `
create schema if not exists platform;
create table if not exists platform.installation (
  sole boolean primary key default true check (sole),
  key_sample text not null,
  created_at timestamptz not null default now()
);
-- The sample of the key before, from when a rotation begins until nothing is left under it.
alter table platform.installation add column if not exists key_sample_before text;
-- Whether a run of the rotation has found nothing left: processes that ran by then may still seal with the key before.
alter table platform.installation add column if not exists key_swept boolean not null default false;
`;

/** What the installation knows of its key. */
export type KeySamples = {
  /** The text that the first process sealed with the master key, sealed with the one that seals now. */
  readonly sample: string;
  /** The same sealed with the key before, while a rotation is under way. */
  readonly before: string | undefined;
};

/** undefined before there was a key. */
export const readKeySamples = (config: pg.ClientConfig): Promise<KeySamples | undefined> =>
  onInstallation(config, async (client) => {
    const { rows } = await client.query<{ sample: string; before: string | null }>(
      "select key_sample as sample, key_sample_before as before from platform.installation",
    );
    return rows[0] && { sample: rows[0].sample, before: rows[0].before ?? undefined };
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
      "insert into platform.installation (key_sample) values ($1) on conflict (sole) do update set key_sample = excluded.key_sample, key_sample_before = null",
      [sample],
    );
  });

/** From here on whoever starts seals with the key of `next`. False where the sample is not `from` any more. */
export const beginKeyRotation = (
  config: pg.ClientConfig,
  { from, next }: { readonly from: string; readonly next: string },
): Promise<boolean> =>
  onInstallation(config, async (client) => {
    const { rowCount } = await client.query(
      `update platform.installation set key_sample = $2, key_sample_before = key_sample, key_swept = false
        where key_sample = $1 and key_sample_before is null`,
      [from, next],
    );
    return rowCount === 1;
  });

/** Notes that a run has found nothing left. The second such run ends the rotation, and gives true: from then on nobody needs the key before. */
export const sweepKey = (config: pg.ClientConfig): Promise<boolean> =>
  onInstallation(config, async (client) => {
    const { rows } = await client.query<{ ended: boolean }>(
      `update platform.installation set key_swept = true, key_sample_before = case when key_swept then null else key_sample_before end
        returning key_sample_before is null as ended`,
    );
    return rows[0]?.ended === true;
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
