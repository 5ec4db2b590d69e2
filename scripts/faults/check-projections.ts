import { until } from "@heliograph/testkit";
import type { Verdict } from "./verdict.ts";
import type { World } from "./world.ts";

type Projection = {
  readonly name: string;
  readonly kind: string;
  readonly environment: string;
  readonly lag_events: number;
  readonly last_error?: string;
};

export async function projections(world: World): Promise<readonly Projection[]> {
  const { status, text, body } = await world.admin().get("/admin/projections");
  if (status !== 200) throw new Error(`projections: ${status} ${text}`);
  return body.data as readonly Projection[];
}

/** Rebuilds (or only compares) one read model and gives what came of it. */
export async function rebuild(
  world: World,
  { name, environment }: Projection,
  verifyOnly: boolean,
): Promise<{
  readonly status: string;
  readonly result: { readonly equal?: boolean; readonly differs?: readonly string[] } | null;
  readonly error: string | null;
}> {
  const admin = world.admin();
  const path = `/admin/projections/${name}/rebuild`;
  const started = await admin.post(path, { environment, verify_only: verifyOnly });
  if (started.status !== 202)
    throw new Error(`rebuild of ${name}: ${started.status} ${started.text}`);
  return until(
    async () => {
      const { body } = await admin.get(`${path}/${started.body.id}`);
      return ["done", "failed"].includes(body.status) && body;
    },
    { timeoutMs: 120_000, what: `the rebuild of ${name} in ${environment} ends` },
  );
}

/** 6: each read model, built anew beside the one that serves, is equal to it. */
export async function checkProjections(world: World, verdict: Verdict): Promise<void> {
  for (const projection of await projections(world)) {
    if (projection.kind !== "projector") continue;
    const { status, result, error } = await rebuild(world, projection, true);
    if (status !== "done" || result?.equal !== true)
      verdict.broken(
        6,
        `${projection.name} in ${projection.environment} is not what the log says: ${error ?? result?.differs?.join(", ")}`,
      );
  }
}

/** 10: nothing was set aside. */
export async function checkDeadLetters(world: World, verdict: Verdict): Promise<void> {
  const letters = (await world.admin().get("/admin/dead-letters?limit=100")).body.data as {
    consumer: string;
    event_type: string;
    reason: string;
    status: string;
  }[];
  for (const letter of letters)
    if (letter.status !== "resolved")
      verdict.broken(10, `${letter.consumer} set ${letter.event_type} aside: ${letter.reason}`);
}
