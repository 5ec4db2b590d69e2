import type { OwnTables, SpaceTables, WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { RowFault } from "../imports/columns.ts";
import type { Format } from "../imports/rows.ts";

/** Files on their way and what became of their rows. A file is sealed piece by piece under a key of its own, which is destroyed when it has been read. */
export const importTables: OwnTables = {
  schema: "contact_imports",
  migrations: [
    `create table contact_imports.imports (
  id text primary key,
  partner text not null,
  status text not null default 'queued',
  upload text not null,
  key text not null, -- sealed
  format text not null,
  on_conflict text not null,
  actor text not null,
  request_id text not null,
  fingerprint text not null,
  row_count bigint not null default 0,
  created bigint not null default 0,
  updated bigint not null default 0,
  skipped bigint not null default 0,
  failed bigint not null default 0,
  error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);
create index imports_open on contact_imports.imports (created_at) where finished_at is null;
create table contact_imports.chunks (
  upload text not null,
  number int not null,
  bytes bytea not null,
  created_at timestamptz not null default now(),
  primary key (upload, number)
);
create table contact_imports.errors (
  import_id text not null,
  row_number bigint not null,
  line bigint not null,
  field text not null,
  code text not null,
  message text not null,
  primary key (import_id, row_number)
);`,
  ],
};

const importOf = (condition: string): string =>
  `(select i.partner from contact_imports.imports i where ${condition})`;
/** The imports last: what is of them is found by them. */
export const spacesOfImports: SpaceTables = {
  "contact_imports.chunks": importOf("i.upload = chunks.upload"),
  "contact_imports.errors": importOf("i.id = errors.import_id"),
  "contact_imports.imports": "partner",
};

export type OnConflict = "update" | "skip" | "fail";
export type ImportStatus = "queued" | "running" | "done" | "failed";
export type Counts = {
  readonly created: number;
  readonly updated: number;
  readonly skipped: number;
  readonly failed: number;
};
/** An import for whoever asked for it. */
export type ImportRecord = Counts & {
  readonly id: string;
  readonly status: ImportStatus;
  readonly rows: number;
  readonly error: string | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
};
/** An import for whoever runs it. */
export type Job = {
  readonly id: string;
  readonly partner: string;
  readonly upload: string;
  /** Sealed. */
  readonly key: string;
  readonly format: Format;
  readonly on_conflict: OnConflict;
  readonly actor: string;
  readonly request_id: string;
  /** Taken already, and failed among them. */
  readonly rows: number;
  readonly failed: number;
};
export type NewImport = Omit<Job, "rows" | "failed"> & { readonly fingerprint: string };

export async function addChunk(
  pool: pg.Pool,
  upload: string,
  number: number,
  bytes: Uint8Array,
): Promise<void> {
  await pool.query({
    name: "contact_imports.add_chunk",
    text: "insert into contact_imports.chunks (upload, number, bytes) values ($1, $2, $3)",
    values: [upload, number, bytes],
  });
}

export async function readChunk(
  pool: pg.Pool,
  upload: string,
  number: number,
): Promise<Buffer | undefined> {
  const { rows } = await pool.query<{ bytes: Buffer }>({
    name: "contact_imports.read_chunk",
    text: "select bytes from contact_imports.chunks where upload = $1 and number = $2",
    values: [upload, number],
  });
  return rows[0]?.bytes;
}

export const dropUpload = (pool: pg.Pool, upload: string): Promise<unknown> =>
  pool.query("delete from contact_imports.chunks where upload = $1", [upload]);

/** Drops what uploads left that ended before they were an import. Longer than any upload may take. */
export const dropAbandoned = (pool: pg.Pool): Promise<unknown> =>
  pool.query(`delete from contact_imports.chunks c where created_at < now() - interval '1 day'
    and not exists (select from contact_imports.imports i where i.upload = c.upload and i.finished_at is null)`);

/** Files that have been read and are still there: their importer was killed before it forgot them. */
export async function readFilesLeft(
  pool: pg.Pool,
): Promise<readonly { readonly partner: string; readonly upload: string }[]> {
  const { rows } = await pool.query<{ partner: string; upload: string }>(
    `select partner, upload from contact_imports.imports i where finished_at is not null
      and exists (select from contact_imports.chunks c where c.upload = i.upload)`,
  );
  return rows;
}

/** How many imports of a partner are not done. */
export async function countOpen(pool: pg.Pool, partner: string): Promise<number> {
  const { rows } = await pool.query<{ open: number }>(
    "select count(*)::int as open from contact_imports.imports where partner = $1 and finished_at is null",
    [partner],
  );
  return rows[0]!.open;
}

/** Stores an import unless there is one of this id; gives what the stored one was asked with. */
export async function addImport(
  pool: pg.Pool,
  row: NewImport,
): Promise<Pick<NewImport, "upload" | "fingerprint" | "request_id">> {
  await pool.query(
    `insert into contact_imports.imports (id, partner, upload, key, format, on_conflict, actor, request_id, fingerprint)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing`,
    [
      row.id,
      row.partner,
      row.upload,
      row.key,
      row.format,
      row.on_conflict,
      row.actor,
      row.request_id,
      row.fingerprint,
    ],
  );
  const { rows } = await pool.query(
    "select upload, fingerprint, request_id from contact_imports.imports where id = $1",
    [row.id],
  );
  return rows[0];
}

export async function readImport(
  pool: pg.Pool,
  partner: string,
  id: string,
): Promise<ImportRecord | undefined> {
  const { rows } = await pool.query<ImportRecord>(
    `select id, status, row_count::float8 as rows, created::float8, updated::float8, skipped::float8, failed::float8, error, created_at, finished_at
      from contact_imports.imports where id = $1 and partner = $2`,
    [id, partner],
  );
  return rows[0];
}

/** Imports that are not done, oldest first: one of each partner. */
export async function openJobs(pool: pg.Pool, most: number): Promise<readonly Job[]> {
  const { rows } = await pool.query<Job>(
    `select * from (
        select distinct on (partner) id, partner, upload, key, format, on_conflict, actor, request_id, row_count::float8 as rows, failed::float8, created_at
        from contact_imports.imports where finished_at is null order by partner, created_at, id) o
      order by created_at limit $1`,
    [most],
  );
  return rows;
}

/** What a batch of rows adds to an import, and its end where it is the last one. Written together with the proof that its writer is still the one that runs it. */
export function progressParts(
  id: string,
  rows: number,
  counts: Counts,
  errors: readonly (RowFault & { readonly row: number; readonly line: number })[],
  end?: { readonly status: "done" | "failed"; readonly error?: string | undefined },
): readonly WritePart[] {
  const progress: WritePart = {
    name: "contact_imports_progress",
    sql: `update contact_imports.imports set row_count = row_count + $2, created = created + $3, updated = updated + $4, skipped = skipped + $5, failed = failed + $6,
      status = coalesce($7, 'running'), error = $8, finished_at = case when $7::text is null then null else now() end where id = $1`,
    values: [
      id,
      rows,
      counts.created,
      counts.updated,
      counts.skipped,
      counts.failed,
      end?.status ?? null,
      end?.error ?? null,
    ],
  };
  if (errors.length === 0) return [progress];
  return [
    progress,
    {
      name: "contact_imports_errors",
      sql: `insert into contact_imports.errors (import_id, row_number, line, field, code, message)
        select $1, * from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])
        where exists (select from contact_imports.imports where id = $1)`,
      values: [
        id,
        errors.map(({ row }) => row),
        errors.map(({ line }) => line),
        errors.map(({ field }) => field),
        errors.map(({ code }) => code),
        errors.map(({ message }) => message),
      ],
    },
  ];
}

export type ErrorRow = RowFault & { readonly row: number; readonly line: number };

/** What was wrong with rows, in their order, behind one of them. */
export async function readErrors(
  pool: pg.Pool,
  id: string,
  after: number,
  limit: number,
): Promise<readonly ErrorRow[]> {
  const { rows } = await pool.query<ErrorRow>(
    `select row_number::float8 as row, line::float8, field, code, message from contact_imports.errors
      where import_id = $1 and row_number > $2 order by row_number limit $3`,
    [id, after, limit],
  );
  return rows;
}
