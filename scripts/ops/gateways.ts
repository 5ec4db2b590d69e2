import { randomUUID } from "node:crypto";
import { currentVersion, environments, streamOf, type Environment } from "@heliograph/contracts";
import { sayTable } from "../shared/table.ts";
import { actor, onControlPlane } from "./control-plane.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";

/** Shows the gateways of both environments. */
export const showGateways = (target: Target): Promise<boolean> =>
  onControlPlane(target, async ({ directory }) => {
    const rows = environments.flatMap((environment) =>
      directory
        .gateways(environment)
        .map(({ name, channel, kind, weight, enabled, gateway_id }) => [
          name,
          environment,
          channel,
          kind,
          `${weight}`,
          enabled ? "yes" : "no",
          gateway_id,
        ]),
    );
    sayTable([["name", "environment", "channel", "kind", "weight", "enabled", "id"], ...rows]);
  });

/** Turns a gateway on or off, for good: no start of a process changes it back. Throws OpsError when there is none of this name. */
export const enableGateway = (
  target: Target,
  environment: Environment,
  name: string,
  enabled: boolean,
): Promise<boolean> =>
  onControlPlane(target, async ({ log, directory, append }) => {
    const id = directory.gateways(environment).find((item) => item.name === name)?.gateway_id;
    if (id === undefined) throw new OpsError(`${environment} has no gateway ${name}`);
    const stream = streamOf("gateway", id);
    // What is changed and the revision come from one event, so that a change in between is a conflict.
    const last = (await log.readStream(stream, { backwards: true, limit: 1 }))[0]!;
    const data = { ...last.data, enabled };
    const type = "GatewayConfigured";
    const event = {
      id: randomUUID(),
      type,
      version: currentVersion(type),
      data,
      metadata: { actor },
    };
    await append([{ stream, expected: last.revision, events: [event] }]);
    process.stdout.write(`${name} (${environment}) is ${enabled ? "enabled" : "disabled"}.\n`);
  });
