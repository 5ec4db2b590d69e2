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
-- Whether the last run of the rotation found nothing under the key before, from its first look to its last: the next one that finds nothing either ends it.
alter table platform.installation add column if not exists key_swept boolean not null default false;
-- The processes that run, with the fingerprints of the key that each seals with and of the other one that it has: a rotation waits for them.
create table if not exists platform.processes (
  id uuid primary key,
  name text not null,
  seals_with text not null,
  opens_too text,
  seen_at timestamptz not null default now()
);
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

/** What a process shows of itself. */
export type ShownProcess = {
  readonly id: string;
  readonly name: string;
  readonly sealsWith: string;
  readonly opensToo: string | undefined;
};

/** How long one that was killed is waited for: six of its signs of life, so that one that only was slow is not taken for dead. */
const silentAfter = "60 seconds";
const lives = `seen_at > now() - interval '${silentAfter}'`;

/** Shows a process before it seals anything. Gives the sample of that moment: a rotation that begins later sees the process. */
export const addProcess = (config: pg.ClientConfig, process: ShownProcess): Promise<string> =>
  onInstallation(config, async (client) => {
    await client.query("delete from platform.processes where seen_at < now() - interval '1 day'");
    await keepProcess(client, process);
    const { rows } = await client.query<{ key_sample: string }>(
      "select key_sample from platform.installation",
    );
    return rows[0]!.key_sample;
  });

/** A sign of life. */
export async function keepProcess(
  db: Pick<pg.ClientBase, "query">,
  { id, name, sealsWith, opensToo }: ShownProcess,
): Promise<void> {
  await db.query({
    name: "platform_process",
    text: `insert into platform.processes (id, name, seals_with, opens_too) values ($1, $2, $3, $4)
      on conflict (id) do update set seen_at = now()`,
    values: [id, name, sealsWith, opensToo ?? null],
  });
}

export async function removeProcess(db: Pick<pg.ClientBase, "query">, id: string): Promise<void> {
  await db.query("delete from platform.processes where id = $1", [id]);
}

/** The names of processes that live and seal with another key than that of the fingerprint. */
export const processesSealingElse = (
  config: pg.ClientConfig,
  fingerprint: string,
): Promise<readonly string[]> =>
  onInstallation(config, (client) => namesOf(client, "seals_with <> $1", fingerprint));

async function namesOf(
  client: pg.Client,
  where: string,
  fingerprint: string,
): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select name from platform.processes where ${lives} and ${where} order by name`,
    [fingerprint],
  );
  return rows.map(({ name }) => name);
}

/**
 * From here on whoever starts seals with the key of `next`, whose fingerprint is given. `late` are the processes that live and lack that key: where there are any nothing begins. False where the sample
 * is not `from` any more.
 */
export const beginKeyRotation = (
  config: pg.ClientConfig,
  key: { readonly from: string; readonly next: string; readonly fingerprint: string },
): Promise<{ readonly begun: boolean; readonly late: readonly string[] }> =>
  onInstallation(config, async (client) => {
    const lacks = "$1 not in (seals_with, coalesce(opens_too, ''))";
    const late = await namesOf(client, lacks, key.fingerprint);
    if (late.length > 0) return { begun: false, late };
    const { rowCount } = await client.query(
      `update platform.installation set key_sample = $2, key_sample_before = key_sample, key_swept = false
        where key_sample = $1 and key_sample_before is null`,
      [key.from, key.next],
    );
    return { begun: rowCount === 1, late };
  });

/** Begins a run: whether the one before found nothing. Said once: of a run that is killed it is not known what it found. */
export const beginSweep = (config: pg.ClientConfig): Promise<boolean> =>
  onInstallation(config, async (client) => {
    const { rows } = await client.query<{ swept: boolean }>(
      `update platform.installation set key_swept = false
        from (select key_swept as swept from platform.installation) before returning before.swept`,
    );
    return rows[0]?.swept === true;
  });

/**
 * Ends a run that found nothing. The second in a row ends the rotation, from which on nobody needs the key before. Neither does where processes live that seal with another key
 * than that of the fingerprint: `late` names them.
 */
export const endSweep = (
  config: pg.ClientConfig,
  { isSecond, fingerprint }: { readonly isSecond: boolean; readonly fingerprint: string },
): Promise<{ readonly ended: boolean; readonly late: readonly string[] }> =>
  onInstallation(config, async (client) => {
    const late = await namesOf(client, "seals_with <> $1", fingerprint);
    if (late.length > 0) return { ended: false, late };
    const { rows } = await client.query<{ ended: boolean }>(
      `update platform.installation set key_swept = true, key_sample_before = case when $1 then null else key_sample_before end
        returning key_sample_before is null as ended`,
      [isSecond],
    );
    return { ended: rows[0]?.ended === true, late };
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
