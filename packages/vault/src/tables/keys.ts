import type pg from "pg";

/** Whose data is sealed: a contact, or a record that came before its contact was known. */
export type Subject = {
  readonly partner: string;
  /** `cnt_…`, `inb_…`, or the name of an address. */
  readonly subject: string;
  /** Whoever erases one of these erases this subject too: names of addresses, ids of contacts. */
  readonly owners?: readonly string[];
};

/**
 * In each environment's database and in no log. A key row outlives its key: `wrapped` is null once it is destroyed, so that whoever opens a token
 * can tell what was erased from what is damaged.
 */
export const vaultTables = {
  schema: "vault",
  migrations: [
    `create table if not exists vault.naming (
  sole boolean primary key default true check (sole),
  wrapped bytea not null
);
create table if not exists vault.keys (
  id uuid primary key,
  partner text not null,
  subject text not null,
  owners text[] not null,
  wrapped bytea,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz
);
create unique index if not exists keys_live on vault.keys (partner, subject) where destroyed_at is null;
create index if not exists keys_owners on vault.keys using gin (owners);`,
    // By the subject first: a record is given to its partner by its subject alone. Those that are destroyed are few, and a contact is looked for among them.
    `drop index vault.keys_live;
create unique index keys_live on vault.keys (subject, partner) where destroyed_at is null;
create index keys_destroyed on vault.keys (subject, partner) where destroyed_at is not null;`,
    "create index keys_partner on vault.keys (partner) where destroyed_at is null;",
  ],
} as const;

/** A key as it is stored. */
export type KeyRow = {
  readonly id: string;
  readonly partner: string;
  readonly subject: string;
  readonly wrapped: Buffer | null;
};

/** Stores the naming key unless there is one; gives the one that is stored. */
export async function namingKey(pool: pg.Pool, offered: Buffer): Promise<Buffer> {
  await pool.query("insert into vault.naming (wrapped) values ($1) on conflict do nothing", [
    offered,
  ]);
  const { rows } = await pool.query<{ wrapped: Buffer }>("select wrapped from vault.naming");
  return rows[0]!.wrapped;
}

export type NewKey = {
  readonly id: string;
  readonly partner: string;
  readonly subject: string;
  readonly owners: readonly string[];
  readonly wrapped: Buffer;
};

/** Stores keys for subjects that have none; gives the live key of each. A contact that had one and lost it gets no other. */
export async function liveKeys(pool: pg.Pool, offered: readonly NewKey[]): Promise<KeyRow[]> {
  const column = <Key extends keyof NewKey>(key: Key): NewKey[Key][] =>
    offered.map((row) => row[key]);
  const subjects = [column("partner"), column("subject")];
  const find = async (): Promise<KeyRow[]> =>
    (
      await pool.query<KeyRow>({
        name: "vault.live",
        // One by one through the index: a join may be planned as a scan of all keys.
        text: `select k.* from (select distinct * from unnest($1::text[], $2::text[]) as u(partner, subject)) w cross join lateral (
            select id, partner, subject, wrapped from vault.keys
            where subject = w.subject and partner = w.partner and destroyed_at is null limit 1) k`,
        values: subjects,
      })
    ).rows;
  const known = await find();
  const distinct = new Set(offered.map(({ partner, subject }) => `${partner} ${subject}`));
  if (known.length === distinct.size) return known;
  const added = await pool.query<KeyRow>({
    name: "vault.add",
    text: `insert into vault.keys (id, partner, subject, owners, wrapped)
      select id, partner, subject, string_to_array(owners, ' '), wrapped
      from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[]) as n(id, partner, subject, owners, wrapped)
      where not (subject like 'cnt\\_%' and exists (
        select from vault.keys k where k.subject = n.subject and k.partner = n.partner and k.destroyed_at is not null))
      order by partner, subject
      on conflict (partner, subject) where destroyed_at is null do nothing
      returning id, partner, subject, wrapped`,
    values: [
      column("id"),
      ...subjects,
      offered.map(({ owners }) => owners.join(" ")),
      column("wrapped"),
    ],
  });
  // Whatever is missing still was added by somebody else meanwhile, or belongs to one that was erased.
  return known.length + added.rows.length === distinct.size ? [...known, ...added.rows] : find();
}

/** The ids of the keys of subjects that are not destroyed, of retired ones too. */
export async function livingKeyIds(
  pool: pg.Pool,
  partner: string,
  subjects: readonly Pick<Subject, "subject" | "owners">[],
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: "vault.living_ids",
    text: `select id from vault.keys where partner = $1 and destroyed_at is null
      and (subject = any($2) or owners && $3::text[] and split_part(subject, '~', 1) = any($2))`,
    values: [
      partner,
      subjects.map(({ subject }) => subject),
      subjects.flatMap(({ owners = [] }) => owners),
    ],
  });
  return rows.map(({ id }) => id);
}

/** Ends the keys that an owner has for more than one record, by another name for their subjects: what is sealed from here on is under new ones. */
export async function retireKeys(pool: pg.Pool, partner: string, owner: string): Promise<void> {
  await pool.query(
    `update vault.keys set subject = subject || '~' || id
      where partner = $1 and owners && array[$2] and destroyed_at is null and subject not like 'inb\\_%' and subject not like '%~%'`,
    [partner, owner],
  );
}

/** A key that goes with its owners, whether it is there or was destroyed. */
export type OwnedKey = {
  readonly id: string;
  readonly subject: string;
  readonly owners: readonly string[];
  readonly created_at: Date;
  readonly destroyed: boolean;
};

export async function ownedKeys(
  pool: pg.Pool,
  partner: string,
  owners: readonly string[],
): Promise<readonly OwnedKey[]> {
  const { rows } = await pool.query<OwnedKey>(
    "select id, subject, owners, created_at, destroyed_at is not null as destroyed from vault.keys where partner = $1 and owners && $2::text[]",
    [partner, owners],
  );
  return rows;
}

export async function keysById(pool: pg.Pool, ids: readonly string[]): Promise<KeyRow[]> {
  const { rows } = await pool.query<KeyRow>({
    name: "vault.by_id",
    text: "select id, partner, subject, wrapped from vault.keys where id = any($1::uuid[])",
    values: [ids],
  });
  return rows;
}

/** A record that came before anybody knew whose it is, with its partner and those whose erasure takes it along. */
export type Adopted = Required<Subject>;

/**
 * Gives the keys of records to the partners whose they turned out to be, each subject once; gives the keys that changed hands. A key that is its partner's already gets the owners that it has
 * not: what is told of several people may be known of one before the others. All of them: there are no more than a record names.
 */
export async function adoptKeys(
  pool: pg.Pool,
  records: readonly Adopted[],
): Promise<readonly { readonly id: string; readonly subject: string; readonly from: string }[]> {
  const { rows } = await pool.query<{ id: string; subject: string; from: string; by: string }>({
    name: "vault.adopt",
    // One by one through the index: a join may be planned as a scan of all keys.
    text: `with found as materialized (
        select k.id, k.partner as was, n.partner, string_to_array(n.owners, ' ') as owners from unnest($1::text[], $2::text[], $3::text[]) as n(subject, partner, owners)
          -- A provider that posts a record again is given another key for what is not stored twice: it stays nobody's.
          cross join lateral (select id, partner, owners from vault.keys
            where subject = n.subject and destroyed_at is null order by partner <> n.partner limit 1) k
          where k.partner <> n.partner or not k.owners @> string_to_array(n.owners, ' '))
      update vault.keys t set partner = f.partner,
          owners = case when t.partner = f.partner then array(select distinct unnest(t.owners || f.owners)) else f.owners end
        from found f where t.id = f.id and t.destroyed_at is null
      returning t.id, t.subject, f.was as "from", f.partner as by`,
    values: [
      records.map(({ subject }) => subject),
      records.map(({ partner }) => partner),
      records.map(({ owners }) => owners.join(" ")),
    ],
  });
  return rows.filter(({ from, by }) => from !== by);
}

/** A key with more owners than this has as many as matter: it gets no further ones. */
export const maxSharers = 20;

/** Gives the key of a subject further owners. */
export async function shareKey(
  pool: pg.Pool,
  partner: string,
  subject: string,
  owners: readonly string[],
): Promise<void> {
  await pool.query({
    name: "vault.share",
    text: `update vault.keys set owners = array(select distinct unnest(owners || $3::text[]))
      where subject = $2 and partner = $1 and destroyed_at is null and cardinality(owners) <= $4 and not owners @> $3::text[]`,
    values: [partner, subject, owners, maxSharers],
  });
}

/** What an erasure leaves of the keys that belong to its names. */
export type Left = {
  /** Those of owners that were made after it stay. */
  readonly ownedUntil?: Date;
  /** Keys that stay although one of the names is their owner. */
  readonly spared?: readonly string[];
};

/** Destroys the keys of subjects, and of whatever else belongs to them. Gives those that this or an earlier call destroyed. */
export async function destroyKeys(
  pool: pg.Pool,
  partner: string,
  names: readonly string[],
  { ownedUntil, spared = [] }: Left,
): Promise<readonly { readonly id: string; readonly destroyedAt: Date }[]> {
  // A contact that was never sealed for must not be from here on either.
  await pool.query(
    `insert into vault.keys (id, partner, subject, owners, destroyed_at)
      select gen_random_uuid(), $1, name, '{}', clock_timestamp() from unnest($2::text[]) as name
      where name like 'cnt\\_%'
        and not exists (select from vault.keys k where k.subject = name and k.partner = $1 and k.destroyed_at is null)
        and not exists (select from vault.keys k where k.subject = name and k.partner = $1 and k.destroyed_at is not null)`,
    [partner, names],
  );
  await pool.query(
    `update vault.keys set wrapped = null, destroyed_at = clock_timestamp()
      where partner = $1 and destroyed_at is null and not id = any($4::uuid[])
      and (subject = any($2) or (owners && $2::text[] and ($3::timestamptz is null or created_at <= $3)))`,
    [partner, names, ownedUntil ?? null, spared],
  );
  const { rows } = await pool.query<{ id: string; destroyed_at: Date }>(
    `select id, destroyed_at from vault.keys where partner = $1 and destroyed_at is not null and not id = any($3::uuid[])
      and (subject = any($2) or owners && $2::text[]) order by destroyed_at, id`,
    [partner, names, spared],
  );
  return rows.map(({ id, destroyed_at }) => ({ id, destroyedAt: destroyed_at }));
}

/** Keys that one statement destroys. */
const destroyedAtOnce = 500;

/** Destroys some of the keys that a partner has, but for those of subjects whose names begin with `spared`. False when none is left. */
export async function destroySome(
  pool: pg.Pool,
  partner: string,
  spared: string,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update vault.keys set wrapped = null, destroyed_at = clock_timestamp() where id = any(array(
      select id from vault.keys where partner = $1 and destroyed_at is null and not starts_with(subject, $2) limit ${destroyedAtOnce}))`,
    [partner, spared],
  );
  return rowCount === destroyedAtOnce;
}
