/**
 * The hash chain. Every flush, every page of a copy and every thousand events of a log from before there was a chain is one link: SHA-256 over the hash before it and the stored bytes of
 * its events. The hash stands with the last event of the link (`log.events.chain`), the newest one also in `log.head`, which the writer has locked anyway; `log.head.sealed` is the position up
 * to which the chain reaches. Whoever changes, adds or takes away an event breaks the link that it is in, and whoever makes the hashes anew changes the last one, which an operator may
 * have written down.
 *
 * Nine columns of a link's events, each value followed by a line feed, are hashed column after column, because a flush has them in this form already. What it costs, in CPU of PostgreSQL an event of
 * 480 bytes (PostgreSQL 18, 2 cores): 19.8 → 24.1 µs in flushes of 500, 23.1 → 29.4 in flushes of 50, 82 → 112 for one event alone, half of that for the hash and half for the
 * head's further columns; a commit takes 250 µs and more. Measured beside it, in flushes of 500 and time without the disk: 20.6 µs without a chain, 23.7 like this, 28.4 with one line an event put
 * together in SQL, 21.2 and 1.7 of Node with the hash made there, which has less to spare, and does not know what PostgreSQL decides (positions, revisions, refusals).
 */
export const CHAINED_COLUMNS = [
  "position",
  "stream",
  "revision",
  "id",
  "type",
  "version",
  "recorded_at",
  "data",
  "metadata",
] as const;

type Columns = Readonly<Record<(typeof CHAINED_COLUMNS)[number], string>>;

/** The bytes of a link after the hash before it, from columns whose values are joined by line feeds. */
export const linkText = (columns: Columns): string =>
  CHAINED_COLUMNS.map((name) => `${columns[name]}\n`).join("");

/** The same as an SQL expression, from expressions that give the joined columns. */
export const linkHash = (previous: string, columns: Columns): string =>
  `sha256(${previous} || convert_to(concat_ws(E'\\n', ${CHAINED_COLUMNS.map((name) => columns[name]).join(", ")}, ''), 'UTF8'))`;

const ofRows = (name: string): string => `string_agg(r.${name}::text, E'\\n' order by r.position)`;
const columnsFrom = (column: (name: (typeof CHAINED_COLUMNS)[number]) => string): Columns =>
  Object.fromEntries(CHAINED_COLUMNS.map((name) => [name, column(name)])) as Columns;

/** The hash of rows `r` that have the names of the columns. */
export const linkOfRows = (previous: string): string => linkHash(previous, columnsFrom(ofRows));

/** The hash of SQL arrays, one for each column. */
export const linkOfArrays = (
  previous: string,
  array: (name: (typeof CHAINED_COLUMNS)[number]) => string,
): string =>
  linkHash(
    previous,
    columnsFrom((name) => `array_to_string(${array(name)}, E'\\n')`),
  );

/** A link of a log from before the chain: as many events as a page, and no more bytes than fit into memory many times. */
const LINK_EVENTS = 1_000;
const LINK_BYTES = 8_388_608;

const OFFERED = `unnest(v_streams, p_owners, p_places, p_ids, string_to_array(p_types, E'\\n'), p_versions,
                  string_to_array(p_data, E'\\n'), string_to_array(p_metadata, E'\\n'))
           with ordinality as x (stream, owner, place, id, type, version, data, metadata, ord)`;

/** A flush of which nothing is refused: its parameters are the columns, or nearly. */
const LINK_OF_FLUSH = linkHash("v_chain", {
  position: `(select string_agg(n::text, E'\\n' order by n) from generate_series(base + 1, base + v_events) n)`,
  stream: "p_streams",
  revision: `(select string_agg((actual[x.owner] + 1 + x.place)::text, E'\\n' order by x.ord)
        from unnest(p_owners, p_places) with ordinality as x (owner, place, ord))`,
  id: `array_to_string(p_ids, E'\\n')`,
  type: "p_types",
  version: `array_to_string(p_versions, E'\\n')`,
  recorded_at: `array_to_string(array_fill(recorded, array[v_events]), E'\\n')`,
  data: "p_data",
  metadata: "p_metadata",
});

/** Brings the chain to a log. `append_batch` is replaced by one that makes a link of each flush; its steps are those described where it was first made. */
export const CHAIN_MIGRATION = `
  alter table log.head add column recorded_at bigint not null default 0, add column sealed bigint not null default 0,
    add column chain bytea not null default '';
  alter table log.events add column chain bytea;

  -- Adds one link for events that have none: those from before the chain, and what a process of an older version appended. False when there are none left.
  create function log.seal_next() returns boolean language plpgsql as $$
  declare
    v_head log.head;
    v_last bigint;
    v_chain bytea;
  begin
    select * into v_head from log.head for update;
    if v_head.sealed >= v_head.position then return false; end if;
    select max(r.position), ${linkOfRows("v_head.chain")} into v_last, v_chain
      from (select e.*, sum(octet_length(e.data) + octet_length(e.metadata)) over (rows unbounded preceding) as through
              from (select * from log.events where position > v_head.sealed and position <= v_head.position
                     order by position limit ${LINK_EVENTS}) e) r
     where r.through - octet_length(r.data) - octet_length(r.metadata) < ${LINK_BYTES};
    if v_last is null then
      update log.head set sealed = position;
      return false;
    end if;
    update log.events set chain = v_chain where position = v_last;
    update log.head set sealed = v_last, chain = v_chain;
    return true;
  end $$;

  create or replace function log.append_batch(
    p_streams text, p_owners integer[], p_places integer[], p_expected integer[], p_ids uuid[], p_types text,
    p_versions smallint[], p_data text, p_metadata text,
    out base bigint, out recorded bigint, out actual integer[],
    out kinds integer[], out stored_positions bigint[], out stored_times bigint[]
  ) language plpgsql as $$
  declare
    v_streams text[] := string_to_array(p_streams, E'\\n');
    v_events integer := cardinality(p_ids);
    v_sealed bigint;
    v_chain bytea;
    v_accepted integer;
  begin
    select position, sealed, chain into base, v_sealed, v_chain from log.head for update;
    if base is null then
      raise exception 'log.head has lost its row' using errcode = 'XX001';
    end if;
    if v_sealed < base then
      while log.seal_next() loop end loop;
      select chain into v_chain from log.head;
    end if;
    recorded := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    select array_agg(coalesce(last.revision, -1) order by x.owner),
           count(*) filter (where p_expected[x.owner] in (-2, coalesce(last.revision, -1)))
      into actual, v_accepted
      from unnest(v_streams, p_owners, p_places) as x (stream, owner, place)
      left join lateral (
        select e.revision from log.events e where e.stream = x.stream order by e.revision desc limit 1
      ) last on true
     where x.place = 0;

    if v_accepted = cardinality(p_expected) then
      v_chain := ${LINK_OF_FLUSH};
    else
      -- 0 appended, 1 duplicate, 2 conflict
      select array_agg(d.kind order by d.owner), array_agg(d.position order by d.owner),
             array_agg(d.recorded_at order by d.owner)
        into kinds, stored_positions, stored_times
        from (
          select x.owner,
                 case when p_expected[x.owner] in (-2, actual[x.owner]) then 0
                      when bool_and(coalesce(e.id = x.id, false)) then 1 else 2 end as kind,
                 max(e.position) as position, max(e.recorded_at) as recorded_at
            from unnest(v_streams, p_owners, p_places, p_ids) as x (stream, owner, place, id)
            left join log.events e on e.stream = x.stream and e.revision = p_expected[x.owner] + 1 + x.place
           group by x.owner
        ) d;
      select count(*) into v_events from unnest(p_owners) as x (owner) where kinds[x.owner] = 0;
      if v_events = 0 then return; end if;
      select ${linkOfRows("v_chain")} into v_chain
        from (select base + row_number() over (order by x.ord) as position, x.stream, actual[x.owner] + 1 + x.place as revision,
                     x.id, x.type, x.version, recorded as recorded_at, x.data, x.metadata
                from ${OFFERED} where kinds[x.owner] = 0) r;
    end if;

    insert into log.events (position, stream, revision, id, type, version, recorded_at, data, metadata, chain)
    select base + x.place_in_flush, x.stream, actual[x.owner] + 1 + x.place, x.id, x.type, x.version, recorded, x.data, x.metadata,
           case when x.place_in_flush = v_events then v_chain end
      from (select x.*, case when kinds is null then x.ord else row_number() over (order by x.ord) end as place_in_flush
              from ${OFFERED} where kinds is null or kinds[x.owner] = 0) x;
    update log.head set position = base + v_events, recorded_at = recorded, sealed = base + v_events, chain = v_chain;
  end $$;

  -- Events are final. The chain shows what passes these triggers all the same, as the tables' owner can.
  create function log.refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception 'events of the log are final: % of log.events is refused', lower(tg_op) using errcode = 'insufficient_privilege';
  end $$;
  create trigger no_update before update on log.events for each row
    when (old.chain is not null or (${CHAINED_COLUMNS.map((name) => `old.${name}`).join(", ")}) is distinct from
      (${CHAINED_COLUMNS.map((name) => `new.${name}`).join(", ")}))
    execute function log.refuse_change();
  create trigger no_delete before delete on log.events for each statement execute function log.refuse_change();
  create trigger no_truncate before truncate on log.events for each statement execute function log.refuse_change();
`;
