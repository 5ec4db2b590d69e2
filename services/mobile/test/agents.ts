import { deterministicId, type EventData } from "@heliograph/contracts";
import type { World } from "@heliograph/testkit/world";

/** The sandbox's push gateway. */
export const pushGateway: EventData<"GatewayConfigured"> = {
  gateway_id: deterministicId("gtw", "push"),
  environment: "sandbox",
  name: "sim-push",
  channel: "push",
  kind: "simulator",
  enabled: true,
  weight: 100,
  max_concurrent: 64,
  timeout_ms: 10_000,
  on_uncertain: "at_most_once",
  settings: {},
};

export type Agent = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** An access token of the sandbox. */
  readonly token: string;
  readonly session: string;
  readonly refresh: string;
};
export const password = "correct horse battery";

let number = 0;

type Session = Pick<Agent, "token" | "session" | "refresh">;

/** Signs an agent in on a phone. */
export async function signIn(world: World, email: string, secret = password): Promise<Session> {
  const device = { name: "phone", platform: "android" };
  const body = { email, password: secret, environment: "sandbox", device };
  const signedIn = await world.call("POST", "/api/v1/mobile/sessions", { body });
  if (signedIn.status !== 201) throw new Error(signedIn.text);
  const { access_token: token, session_id: session, refresh_token: refresh } = signedIn.body;
  return { token, session, refresh };
}

/** Makes agents who have signed in. */
export const openAgents =
  (world: World) =>
  async (key: string, more: object = {}): Promise<Agent> => {
    const email = `phone${++number}@example.org`;
    const name = `Agent ${number}`;
    const body = { name, email, role: "agent", password, ...more };
    const made = await world.call("POST", "/api/v1/agents", { key, body });
    if (made.status !== 201) throw new Error(made.text);
    return { id: made.body.id, name, email, ...(await signIn(world, email)) };
  };
