import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import {
  addDevice,
  deviceOf,
  devicesOf,
  endDevices,
  removeEnded,
  takeDevice,
  type DeviceRow,
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
 * device keeps its id.
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
    agent_id,
  );
}

/**
 * Ends devices, those of `agentId` alone where it is given. First nobody has them, so that no other agent can take one over whose key goes; a crash leaves rows that the
 * next try, or the next registration of the token, removes.
 */
export async function forgetDevices(
  { pool, vault }: Tools,
  partner: string,
  ids: readonly string[],
  agentId?: string,
): Promise<void> {
  if (ids.length === 0) return;
  const ended = await endDevices(pool, partner, ids, agentId);
  if (ended.length === 0) return;
  await vault.destroy(partner, ended);
  await removeEnded(pool, partner, ended);
}
