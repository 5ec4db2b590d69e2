import type pg from "pg";

/** The token of a partner's device, sealed; undefined where there is none. The table is that of `services/mobile`. */
export async function sealedDeviceToken(
  pool: pg.Pool,
  partner: string,
  id: string,
): Promise<string | undefined> {
  const { rows } = await pool.query<{ token: string }>({
    name: "dispatch.device_token",
    text: "select token from mobile_devices.devices where id = $1 and partner = $2 and agent_id <> ''",
    values: [id, partner],
  });
  return rows[0]?.token;
}
