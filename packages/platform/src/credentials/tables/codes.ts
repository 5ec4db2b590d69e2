import type pg from "pg";

/**
 * Takes the step of a code, once: compare-and-set over the whole accepted drift, so that neither the same code nor an older one is taken after it. Gives whether it was
 * the first.
 */
export async function takeStep(pool: pg.Pool, agent: string, step: number): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "credentials.step",
    text: "update credentials.agents set totp_step = $2 where agent_id = $1 and totp_step < $2",
    values: [agent, step],
  });
  return rowCount === 1;
}

/** Uses a recovery code up. Gives whether there was one. */
export async function takeRecovery(pool: pg.Pool, agent: string, sha256: string): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "credentials.recovery",
    text: `update credentials.agents set recovery = array_remove(recovery, $2)
      where agent_id = $1 and $2 = any(recovery)`,
    values: [agent, sha256],
  });
  return rowCount === 1;
}

/** A secret that waits for its first code, in place of one that waits. */
export async function offerTotp(
  pool: pg.Pool,
  row: { readonly agent: string; readonly sealed: string; readonly recovery: readonly string[] },
): Promise<void> {
  await pool.query({
    name: "credentials.offer",
    text: "update credentials.agents set totp_pending = $2, recovery_pending = $3 where agent_id = $1",
    values: [row.agent, row.sealed, row.recovery],
  });
}

/** Puts the waiting secret into use; its first code is used up. Gives whether it was still the one that waits. */
export async function confirmTotp(
  pool: pg.Pool,
  row: { readonly agent: string; readonly sealed: string; readonly step: number },
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "credentials.confirm",
    text: `update credentials.agents set totp = totp_pending, recovery = recovery_pending, totp_step = $3, totp_pending = null,
        recovery_pending = '{}'
      where agent_id = $1 and totp_pending = $2`,
    values: [row.agent, row.sealed, row.step],
  });
  return rowCount === 1;
}

/** Takes codes away from an agent: the app, those of recovery, and what waits to be confirmed. The last step stays, so a code that was used works no second time. */
export async function dropTotp(pool: pg.Pool, agent: string): Promise<void> {
  await pool.query({
    name: "credentials.drop_totp",
    text: "update credentials.agents set totp = null, totp_pending = null, recovery = '{}', recovery_pending = '{}' where agent_id = $1",
    values: [agent],
  });
}

/** The same by somebody else, which ends the agent's sessions; of an agent who has set nothing up, none. The log is to be told of the new generation. */
export async function resetTotp(pool: pg.Pool, agent: string, reason: string): Promise<void> {
  await pool.query({
    name: "credentials.reset_totp",
    text: `update credentials.agents set totp = null, totp_pending = null, recovery = '{}', recovery_pending = '{}',
        generation = generation + 1, spared = null, reason = $2, changed_at = now()
      where agent_id = $1 and (totp is not null or totp_pending is not null)`,
    values: [agent, reason],
  });
}
