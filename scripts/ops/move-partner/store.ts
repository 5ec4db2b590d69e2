const keysAtOnce = 2_000;

/** Groups of provider calls and decisions that are announced and of which not all is in the log. A row names its messages, damaged or not, and a message its partner. */
export const openIntents = `select count(*)::int as open from dispatch.intents i where exists (
  select from regexp_matches(i::text, '(?:msg_|message-)([0-9A-Z]{26})', 'g') as named
    join log.events e on e.stream = 'message-' || named[1] and e.revision = 0
   where split_part(e.metadata::json ->> 'partner', '~', 1) = $1)`;

/** Consumers with effects, and whether a process has them now. */
export const reactors = `select name, position::text, updated_at > now() - interval '10 seconds' as runs
  from runtime.consumers where kind = 'reactor' order by name`;

/** Rows as text: both have the same tables. */
export const keysOf = (which: "null" | "not null"): string =>
  `select id, k::text as row from vault.keys k
    where id > $2 and split_part(partner, '~', 1) = $1 and destroyed_at is ${which} order by id limit ${keysAtOnce}`;
export const putKeys = `insert into vault.keys as k select (row::vault.keys).* from unnest($1::text[]) as rows(row)
  on conflict (id) do update set owners = excluded.owners, wrapped = excluded.wrapped, destroyed_at = excluded.destroyed_at
   where k.destroyed_at is null and (k.owners, k.destroyed_at) is distinct from (excluded.owners, excluded.destroyed_at)`;
