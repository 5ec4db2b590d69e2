import { openWorld, type World } from "@heliograph/testkit/world";
import { service } from "../src/index.ts";

/** A world with contacts, and calls as one of its partners. */
export async function openSetting(options: Parameters<typeof openWorld>[0] = {}) {
  const world = await openWorld({
    services: [service],
    consumers: "tables",
    partners: [{}, {}],
    ...options,
  });
  return { world, ...callsOf(world) };
}
export type Setting = Awaited<ReturnType<typeof openSetting>>;

export function callsOf(world: World) {
  const call = (
    method: string,
    path: string,
    body?: object,
    options: { readonly key?: string; readonly headers?: Record<string, string> } = {},
  ) =>
    world.call(method, `/api/v1${path}`, {
      key: options.key ?? world.partners[0]!.key,
      ...(body !== undefined && { body }),
      ...(options.headers !== undefined && { headers: options.headers }),
    });
  const made = async (body: object): Promise<string> => {
    const answer = await call("POST", "/contacts", body);
    if (answer.status !== 201) throw new Error(answer.text);
    return (answer.body as { id: string }).id;
  };
  const get = async (path: string) => (await call("GET", path)).body as Record<string, unknown>;
  return { call, made, get };
}

let count = 0;
/** An external id that no other test has. */
export const newCrm = (): { readonly source: "crm"; readonly id: string } => ({
  source: "crm",
  id: `C-${++count}`,
});
export const newPhone = (): { readonly source: "sms"; readonly id: string } => ({
  source: "sms",
  id: `+1555${String(2_000_000 + ++count)}`,
});
export const pathOf = ({ source, id }: { readonly source: string; readonly id: string }): string =>
  `/contacts/by-external-id/${source}/${encodeURIComponent(id)}`;
