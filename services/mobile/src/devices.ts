import { PublicError } from "@heliograph/contracts";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import {
  addDevice,
  deviceOf,
  devicesOf,
  endDevices,
  endSession,
  hasEnded,
  removeEnded,
  takeDevice,
  type DeviceRow,
  type Holder,
  type NewDevice,
} from "./tables/devices.ts";

/** A phone that is set up anew has another token, and nobody takes the old one away: an agent keeps those that were registered last. */
const maxDevicesOfAgent = 20;
/** Another agent may register the token at the same moment. */
const maxRaces = 5;

type Tools = { readonly pool: pg.Pool; readonly vault: Vault };
type Registration = Omit<NewDevice, "tokenName" | "token"> & { readonly fcmToken: string };

/**
 * Registers a token for an agent, and takes it from whoever had it: a phone that changes hands is pushed to for its new agent alone. Within a partner the
 * device keeps its id. Throws `session_revoked` when the session has ended meanwhile.
 */
export async function registerDevice(
  tools: Tools,
  { fcmToken, ...device }: Registration,
): Promise<DeviceRow> {
  const { pool, vault } = tools;
  const tokenName = vault.name("device", fcmToken);
  for (let race = 0; race < maxRaces; race++) {
    const known = await deviceOf(pool, tokenName);
    const isOurs = known?.partner === device.partner && known.agent_id !== "";
    if (known !== undefined && !isOurs) await forgetDevices(tools, known.partner, [known.id]);
    const registered = isOurs
      ? await takeDevice(pool, known.id, device)
      : await addSealed(tools, { ...device, tokenName, token: fcmToken });
    if (registered === undefined) continue;
    // Whoever handles an end keeps it before looking for devices: one of the two sees the other.
    if (await hasEnded(pool, device.sessionId)) {
      await endDevicesOf(tools, device.sessionId);
      throw new PublicError("session_revoked", "The session has ended. Sign in again.");
    }
    await keepNewest(tools, registered);
    return registered;
  }
  throw new Error(`the token of ${device.id} was registered ${maxRaces} times meanwhile`);
}

async function addSealed({ pool, vault }: Tools, device: NewDevice) {
  const { partner, id } = device;
  const seal = await vault.seal({ partner, subject: id });
  const added = await addDevice(pool, { ...device, token: seal(device.token) });
  if (added === undefined) await vault.destroy(partner, [id]);
  return added;
}

async function keepNewest(tools: Tools, { partner, agent_id }: DeviceRow): Promise<void> {
  const all = await devicesOf(tools.pool, partner, agent_id);
  const old = all.slice(0, Math.max(0, all.length - maxDevicesOfAgent));
  await forgetDevices(
    tools,
    partner,
    old.map(({ id }) => id),
    { agentId: agent_id },
  );
}

/** A session has ended: its devices are pushed to no more. One that another session has registered since is that session's. */
export async function endDevicesOf(tools: Tools, sessionId: string): Promise<void> {
  for (const { id, partner } of await endSession(tools.pool, sessionId))
    await forgetDevices(tools, partner, [id], { sessionId });
}

/**
 * Ends devices, as far as they are still the holder's. First nobody has them, so that no other agent can take one over whose key goes; a crash leaves rows that the
 * next try, or the next registration of the token, removes.
 */
export async function forgetDevices(
  { pool, vault }: Tools,
  partner: string,
  ids: readonly string[],
  holder?: Holder,
): Promise<void> {
  if (ids.length === 0) return;
  const ended = await endDevices(pool, partner, ids, holder);
  if (ended.length === 0) return;
  await vault.destroy(partner, ended);
  await removeEnded(pool, partner, ended);
}
