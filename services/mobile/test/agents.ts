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
  /** An access token of the sandbox. */
  readonly token: string;
  readonly session: string;
};
export const password = "correct horse battery";

let number = 0;

/** Makes agents who have signed in. */
export const openAgents =
  (world: World) =>
  async (key: string, more: object = {}): Promise<Agent> => {
    const email = `phone${++number}@example.org`;
    const name = `Agent ${number}`;
    const body = { name, email, role: "agent", password, ...more };
    const made = await world.call("POST", "/api/v1/agents", { key, body });
    if (made.status !== 201) throw new Error(made.text);
    const signedIn = await world.call("POST", "/api/v1/mobile/sessions", {
      body: {
        email,
        password,
        environment: "sandbox",
        device: { name: "phone", platform: "android" },
      },
    });
    if (signedIn.status !== 201) throw new Error(signedIn.text);
    const { access_token, session_id } = signedIn.body;
    return { id: made.body.id, name, token: access_token, session: session_id };
  };
