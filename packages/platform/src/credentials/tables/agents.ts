import type pg from "pg";

/** What an agent has to sign in with. */
export type Credentials = {
  readonly agent_id: string;
  readonly password: string;
  readonly generation: number;
  /** Sealed secrets of codes: the one in use, and one that is not confirmed yet. */
  readonly totp: string | null;
  readonly totp_pending: string | null;
};

type Queries = Pick<pg.ClientBase, "query">;

export async function readCredentials(
  pool: Queries,
  agent: string,
): Promise<Credentials | undefined> {
  const { rows } = await pool.query<Credentials>({
    name: "credentials.read",
    text: "select agent_id, password, generation, totp, totp_pending from credentials.agents where agent_id = $1",
    values: [agent],
  });
  return rows[0];
}

/** The first password of an agent; an agent who has one keeps it. Gives whether it was set. */
export async function addPassword(
  pool: Queries,
  row: { readonly agent: string; readonly partner: string; readonly password: string },
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "credentials.add",
    text: `insert into credentials.agents (agent_id, partner_id, password) values ($1, $2, $3) on conflict do nothing`,
    values: [row.agent, row.partner, row.password],
  });
  return rowCount === 1;
}

/** Another password, which ends the agent's sessions but for the spared one. With `from` only where the password is still that one. Gives the new generation. */
export async function changePassword(
  pool: Queries,
  row: {
    readonly agent: string;
    readonly partner: string;
    readonly password: string;
    readonly reason: string;
    readonly from?: string;
    readonly spared?: string;
  },
): Promise<number | undefined> {
  const { rows } = await pool.query<{ generation: number }>({
    name: "credentials.change",
    text: `insert into credentials.agents as a (agent_id, partner_id, password) values ($1, $2, $3)
      on conflict (agent_id) do update set password = $3, generation = a.generation + 1, spared = $4, reason = $5, changed_at = now()
        where $6::text is null or a.password = $6
      returning generation`,
    values: [
      row.agent,
      row.partner,
      row.password,
      row.spared ?? null,
      row.reason,
      row.from ?? null,
    ],
  });
  return rows[0]?.generation;
}

/** The same password under newer parameters; nothing where it was changed meanwhile. */
export async function renewHash(
  pool: Queries,
  agent: string,
  from: string,
  to: string,
): Promise<void> {
  await pool.query({
    name: "credentials.renew",
    text: "update credentials.agents set password = $3 where agent_id = $1 and password = $2",
    values: [agent, from, to],
  });
}

export type EndedSessions = {
  readonly agent_id: string;
  readonly partner_id: string;
  readonly generation: number;
  readonly spared: string | null;
  readonly reason: string;
};

/** Generations of which the log was not told: a process ended between the change and the event, or is about to tell it. */
export async function unannounced(pool: Queries): Promise<readonly EndedSessions[]> {
  const { rows } = await pool.query<EndedSessions>({
    name: "credentials.unannounced",
    text: `select agent_id, partner_id, generation, spared, reason from credentials.agents
      where announced < generation order by agent_id limit 1000`,
  });
  return rows;
}

export async function setAnnounced(
  pool: Queries,
  agent: string,
  generation: number,
): Promise<void> {
  await pool.query({
    name: "credentials.announced",
    text: "update credentials.agents set announced = greatest(announced, $2) where agent_id = $1",
    values: [agent, generation],
  });
}
