import { randomBytes } from "node:crypto";
import pg from "pg";
import { type Server, serverVariable, startServer } from "./server.ts";

export type TestDatabase = {
  readonly url: string;
  readonly config: pg.PoolConfig;
  readonly name: string;
  /** Ends other connections and removes the database. */
  drop(): Promise<void>;
};

export type Template = {
  /** Names what `prepare` makes, e.g. `wallet_v3`; databases of one run with the same name share one preparation. */
  readonly name: string;
  prepare(config: pg.PoolConfig): Promise<void>;
};

/**
 * A fresh, empty database on the run's server, or a copy of a template that the first caller of the run prepares.
 * Copying a migrated template takes 40 ms whatever the number of migrations.
 */
export async function testDatabase(options: { template?: Template } = {}): Promise<TestDatabase> {
  const { baseConfig, namePrefix } = await testServer();
  const name = `${namePrefix}db`;
  const template = options.template
    ? await ensureTemplate(baseConfig, options.template)
    : "template0";
  await query(baseConfig, `create database "${name}" template "${template}" strategy file_copy`);
  const config = { ...baseConfig, database: name };
  return {
    url: urlOf(config),
    config,
    name,
    drop: () => dropDatabase(baseConfig, name),
  };
}

/** Makes a database of that name as a copy of a template. */
export async function copyOfTemplate(
  baseConfig: pg.PoolConfig,
  name: string,
  template: Template,
): Promise<void> {
  const from = await ensureTemplate(baseConfig, template);
  await query(baseConfig, `create database "${name}" template "${from}" strategy file_copy`);
}

/**
 * The run's server for tests that create databases themselves. `baseConfig` connects to the administration database;
 * names that begin with `namePrefix` collide with nobody, and `dropAll` removes them.
 */
export async function testServer(): Promise<{
  baseConfig: pg.PoolConfig;
  baseUrl: string;
  namePrefix: string;
  dropAll(): Promise<void>;
}> {
  const baseConfig = await runServer();
  const namePrefix = `t${process.pid}_${randomBytes(4).toString("hex")}_`;
  return {
    baseConfig,
    baseUrl: urlOf(baseConfig),
    namePrefix,
    dropAll: async () => {
      const found = await query(
        baseConfig,
        "select datname from pg_database where starts_with(datname, $1)",
        [namePrefix],
      );
      await Promise.all(found.rows.map((row) => dropDatabase(baseConfig, row.datname)));
    },
  };
}

/** Templates that this process has seen: they stay until the end of the run. */
const known = new Set<string>();

/** Callers in all workers meet here; the advisory lock lets one prepare while the others wait for the result. */
async function ensureTemplate(baseConfig: pg.PoolConfig, template: Template): Promise<string> {
  const name = `template_${template.name}`;
  if (known.has(name)) return name;
  const client = new pg.Client(baseConfig);
  await client.connect();
  try {
    await client.query("select pg_advisory_lock(hashtext($1))", [name]);
    const exists = "select 1 from pg_database where datname = $1";
    if ((await client.query(exists, [name])).rowCount === 1) {
      known.add(name);
      return name;
    }
    const draft = `${name}_draft`;
    await client.query(`drop database if exists "${draft}" with (force)`);
    // As the product makes them.
    await client.query(
      `create database "${draft}" template template0 encoding 'UTF8' locale 'C' strategy file_copy`,
    );
    await template.prepare({ ...baseConfig, database: draft });
    await client.query(`alter database "${draft}" rename to "${name}"`);
    return name;
  } finally {
    await client.end();
  }
}

let own: Promise<Server> | undefined;

/** The server of the global setup; a plain script, which has none, gets its own until it exits. */
async function runServer(): Promise<pg.PoolConfig> {
  const shared = process.env[serverVariable];
  if (shared) return JSON.parse(shared);
  own ??= startServer();
  const server = await own;
  process.env[serverVariable] = JSON.stringify(server.config);
  return server.config;
}

/** Stops the server that a plain script without global setup started; does nothing in vitest. */
export async function stopOwnServer(): Promise<void> {
  if (!own) return;
  const server = await own;
  own = undefined;
  delete process.env[serverVariable];
  await Promise.all([...pools.values()].map((pool) => pool.end()));
  pools.clear();
  await server.stop();
}

/** Those who make and remove databases all day long keep a connection: one costs the server more than most of what is asked. They end with the process. */
const pools = new Map<string, pg.Pool>();

function poolOf(config: pg.PoolConfig): pg.Pool {
  const key = urlOf(config);
  let pool = pools.get(key);
  if (pool === undefined) {
    pool = new pg.Pool({ ...config, max: 3, idleTimeoutMillis: 60_000, allowExitOnIdle: true });
    // One that is lost while nobody asks is replaced when somebody does.
    pool.on("error", () => undefined);
    pools.set(key, pool);
  }
  return pool;
}

const query = (
  config: pg.PoolConfig,
  text: string,
  values: unknown[] = [],
): Promise<pg.QueryResult> => poolOf(config).query(text, values);

/** A pool says that it has ended while its connections are still closing; one that is cut then fails outside of every call. */
const closingMs = 300;

/** Removes a database, at first waiting a little for the connections that are about to end. */
async function dropDatabase(config: pg.PoolConfig, name: string): Promise<void> {
  const deadline = performance.now() + closingMs;
  for (let open = 1; open > 0 && performance.now() < deadline;) {
    const { rows } = await query(
      config,
      "select count(*)::int as open from pg_stat_activity where datname = $1",
      [name],
    );
    open = rows[0].open;
    if (open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await query(config, `drop database if exists "${name}" with (force)`);
}

/** The sessions on databases whose names begin with the prefix: the database and what the client calls itself. */
export async function sessionsOf(
  config: pg.PoolConfig,
  prefix: string,
): Promise<readonly string[]> {
  const { rows } = await query(
    config,
    "select datname || ': ' || coalesce(nullif(application_name, ''), 'unnamed') as name from pg_stat_activity where starts_with(datname, $1)",
    [prefix],
  );
  return rows.map(({ name }) => `a session on ${name}`);
}

/** A unix socket folder goes into the `host` parameter, where both libpq and pg look for it. */
function urlOf({ host = "localhost", port, user, password, database }: pg.PoolConfig): string {
  const login = `${encodeURIComponent(user ?? "")}:${encodeURIComponent(String(password ?? ""))}`;
  return host.startsWith("/")
    ? `postgresql://${login}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`
    : `postgresql://${login}@${host}:${port}/${database}`;
}
