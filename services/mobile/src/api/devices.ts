import {
  type Answer,
  type Call,
  type Route,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  route,
  slicePage,
} from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import { z } from "zod";
import { forgetDevices, registerDevice } from "../devices.ts";
import { devicesOf, type DeviceRow } from "../tables/devices.ts";

const platforms = ["ios", "android", "web"] as const;
/** FCM promises no length; theirs have some 160 characters, APNs' 64. */
const maxTokenLength = 512;

const Device = z
  .object({
    id: z.string().meta({ description: "`dev_…`" }),
    platform: z.enum(platforms),
    name: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string().meta({ description: "When it was registered last." }),
  })
  .meta({ id: "Device" });

const RegisterDevice = z.strictObject({
  fcm_token: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_:.-]*$/, "must be a token of FCM or APNs")
    .min(4)
    .max(maxTokenLength),
  platform: z.enum(platforms),
  name: z.string().min(1).max(255).optional(),
});

/** Devices are of a person: a key has none. Throws `insufficient_scope`. */
export function agentOfCall(call: Call<unknown, unknown>): {
  readonly agentId: string;
  readonly sessionId: string;
} {
  if (call.agent === undefined)
    throw new PublicError(
      "insufficient_scope",
      "Devices belong to agents: sign in with POST /mobile/sessions.",
      { extra: { required_scope: "mobile" } },
    );
  return { agentId: call.agent.agent_id, sessionId: call.agent.session_id };
}

const show = (row: DeviceRow) => ({
  id: row.id,
  platform: row.platform,
  name: row.name,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

async function register(call: Call<z.infer<typeof RegisterDevice>>): Promise<Answer> {
  const { fcm_token: fcmToken, platform, name = null } = call.body;
  const device = await registerDevice(call.deps, {
    // Rows keep no fingerprint: with another token the same key makes another device.
    id: call.derivedId("dev", call.deps.vault.name("device", fcmToken)),
    partner: call.account,
    ...agentOfCall(call),
    platform,
    name,
    fcmToken,
  });
  return { status: 201, body: show(device) };
}

const ownDevices = async (call: Call<unknown, unknown>): Promise<readonly DeviceRow[]> =>
  devicesOf(call.deps.pool, call.account, agentOfCall(call).agentId);

async function list(call: Call<undefined, ListQuery>): Promise<Answer> {
  const rows = await ownDevices(call);
  const sorted = rows.toSorted((left, right) => (left.id < right.id ? -1 : 1));
  const page = pageOf(call, "devices");
  const shown = slicePage(sorted, page, ({ id }) => id);
  return { status: 200, body: listBody(call, "devices", page, shown, ({ id }) => id, show) };
}

async function remove(call: Call): Promise<Answer> {
  const own = (await ownDevices(call)).find(({ id }) => id === call.params["id"]);
  if (own === undefined) throw new PublicError("not_found", "You have no such device.");
  await forgetDevices(call.deps, own.partner, [own.id], { agentId: own.agent_id });
  return { status: 204 };
}

const scope = "mobile";

export const deviceRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/mobile/devices",
    scope,
    summary: "Registers this device for push; a token of another agent becomes this one's",
    body: RegisterDevice,
    response: Device,
    status: 201,
    errors: [],
    mutates: true,
    sessionKeys: true,
    handler: register,
  }),
  route({
    method: "GET",
    path: "/mobile/devices",
    scope,
    summary: "Your devices",
    query: ListQuery,
    response: listOf(Device, "DeviceList"),
    errors: [],
    handler: list,
  }),
  route({
    method: "DELETE",
    path: "/mobile/devices/:id",
    scope,
    summary: "Ends push to a device and destroys its token",
    response: undefined,
    errors: ["not_found"],
    mutates: true,
    sessionKeys: true,
    handler: remove,
  }),
];
