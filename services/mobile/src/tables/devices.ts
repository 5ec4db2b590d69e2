import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/**
 * Where agents are pushed to, in each environment's database. Rows and not events: a token is a credential without a history worth keeping, which must be gone when it is deleted, and
 * only a unique index gives a token to one agent at a time. `token_name` finds it; `token` is sealed under the device's own key. A device without an agent
 * is on its way out.
 */
export const deviceTables: OwnTables = {
  schema: "mobile_devices",
  migrations: [
    `create table if not exists mobile_devices.devices (
  id text primary key,
  partner text not null,
  agent_id text not null,
  session_id text not null,
  token_name text not null unique,
  token text not null,
  platform text not null,
  name text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default clock_timestamp()
);
create index if not exists devices_agent on mobile_devices.devices (agent_id, id);`,
    `create index devices_session on mobile_devices.devices (session_id);
-- Sessions whose end was handled lately: a registration that was under way at that moment finds it here.
create table mobile_devices.ended_sessions (
  session_id text primary key,
  ended_at timestamptz not null default now()
);
create index ended_sessions_age on mobile_devices.ended_sessions (ended_at);`,
    // What other services may ask: the sealed token of a partner's device, null where there is none. So the table stays ours to change.
    `create function mobile_devices.token_of(device text, owner text) returns text language sql stable as
$$ select token from mobile_devices.devices where id = device and partner = owner and agent_id <> '' $$;`,
  ],
};

export type DeviceRow = {
  readonly id: string;
  readonly partner: string;
  readonly agent_id: string;
  readonly platform: string;
  readonly name: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
};
export type NewDevice = {
  readonly id: string;
  readonly partner: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly tokenName: string;
  readonly token: string;
  readonly platform: string;
  readonly name: string | null;
};

const columns = "id, partner, agent_id, platform, name, created_at, updated_at";

/** The device of a token, whoever's it is. */
export async function deviceOf(pool: pg.Pool, tokenName: string): Promise<DeviceRow | undefined> {
  const { rows } = await pool.query<DeviceRow>({
    name: "mobile.device_of",
    text: `select ${columns} from mobile_devices.devices where token_name = $1`,
    values: [tokenName],
  });
  return rows[0];
}

/** Gives a partner's device to an agent. Undefined when it is there no more. */
export async function takeDevice(
  pool: pg.Pool,
  id: string,
  to: Pick<NewDevice, "partner" | "agentId" | "sessionId" | "platform" | "name">,
): Promise<DeviceRow | undefined> {
  const { rows } = await pool.query<DeviceRow>(
    `update mobile_devices.devices set agent_id = $3, session_id = $4, platform = $5, name = $6, updated_at = clock_timestamp()
      where id = $1 and partner = $2 and agent_id <> '' returning ${columns}`,
    [id, to.partner, to.agentId, to.sessionId, to.platform, to.name],
  );
  return rows[0];
}

/** Undefined when somebody has registered the token meanwhile. */
export async function addDevice(pool: pg.Pool, device: NewDevice): Promise<DeviceRow | undefined> {
  const { rows } = await pool.query<DeviceRow>(
    `insert into mobile_devices.devices (id, partner, agent_id, session_id, token_name, token, platform, name)
      values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning ${columns}`,
    [
      device.id,
      device.partner,
      device.agentId,
      device.sessionId,
      device.tokenName,
      device.token,
      device.platform,
      device.name,
    ],
  );
  return rows[0];
}

/** An agent's devices, the oldest registration first. */
export async function devicesOf(
  pool: pg.Pool,
  partner: string,
  agentId: string,
): Promise<readonly DeviceRow[]> {
  const { rows } = await pool.query<DeviceRow>({
    name: "mobile.devices_of",
    text: `select ${columns} from mobile_devices.devices where partner = $1 and agent_id = $2 order by updated_at, id`,
    values: [partner, agentId],
  });
  return rows;
}

/** Whose devices are meant: by now they may be somebody else's, or registered anew. */
export type Holder = {
  readonly agentId?: string;
  readonly sessionId?: string;
  /** Not those that were registered after it: epoch ms. */
  readonly registeredUntil?: number;
};

/** Takes devices from their agents, as far as they are the holder's. Gives the ones that nobody has now. */
export async function endDevices(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
  { agentId, sessionId, registeredUntil }: Holder = {},
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `update mobile_devices.devices set agent_id = '' where partner = $1 and id = any($2) and ($3::text is null or agent_id in ($3, ''))
      and ($4::text is null or session_id = $4) and ($5::float8 is null or updated_at <= to_timestamp($5 / 1000)) returning id`,
    [partner, ids, agentId ?? null, sessionId ?? null, registeredUntil ?? null],
  );
  return rows.map(({ id }) => id);
}

/** Removes devices that nobody has. */
export async function removeEnded(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
): Promise<void> {
  await pool.query(
    "delete from mobile_devices.devices where partner = $1 and id = any($2) and agent_id = ''",
    [partner, ids],
  );
}

/** The devices of these agents. */
export async function devicesOfAgents(
  pool: pg.Pool,
  agents: readonly string[],
): Promise<readonly DeviceRow[]> {
  const { rows } = await pool.query<DeviceRow>(
    `select ${columns} from mobile_devices.devices where agent_id = any($1)`,
    [agents],
  );
  return rows;
}

/** Longer than a call runs that was authenticated before its session ended. */
const endedFor = "1 day";

/** Keeps that a session has ended, then gives its devices. */
export async function endSession(pool: pg.Pool, session: string): Promise<readonly DeviceRow[]> {
  await pool.query(
    `with old as (delete from mobile_devices.ended_sessions where ended_at < now() - interval '${endedFor}')
      insert into mobile_devices.ended_sessions (session_id) values ($1) on conflict do nothing`,
    [session],
  );
  const { rows } = await pool.query<DeviceRow>(
    `select ${columns} from mobile_devices.devices where session_id = $1`,
    [session],
  );
  return rows;
}

export async function hasEnded(pool: pg.Pool, session: string): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "mobile.session_ended",
    text: "select from mobile_devices.ended_sessions where session_id = $1",
    values: [session],
  });
  return rowCount === 1;
}
