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

type Rebuilt = {
  readonly status: string;
  readonly result: { readonly equal?: boolean; readonly differs?: readonly string[] } | null;
  readonly error: string | null;
};

/** Asks for a read model to be rebuilt, or only compared; gives what waits for its end. */
async function ask(
  world: World,
  { name, environment }: Projection,
  verifyOnly: boolean,
): Promise<() => Promise<Rebuilt>> {
  const admin = world.admin();
  const path = `/admin/projections/${name}/rebuild`;
  const started = await admin.post(path, { environment, verify_only: verifyOnly });
  if (started.status !== 202)
    throw new Error(`rebuild of ${name}: ${started.status} ${started.text}`);
  return () =>
    until(
      async () => {
        const { body } = await admin.get(`${path}/${started.body.id}`);
        return ["done", "failed"].includes(body.status) && body;
      },
      { timeoutMs: 120_000, what: `the rebuild of ${name} in ${environment} ends` },
    );
}

/** Rebuilds (or only compares) one read model and gives what came of it. */
export async function rebuild(
  world: World,
  projection: Projection,
  verifyOnly: boolean,
): Promise<Rebuilt> {
  return (await ask(world, projection, verifyOnly))();
}

/**
 * 6: each read model, built anew beside the one that serves, is equal to it. All are asked for before the first is waited for: the product looks for what is asked once a second, and reads the
 * log once for all that it finds.
 */
export async function checkProjections(world: World, verdict: Verdict): Promise<void> {
  const asked: { readonly projection: Projection; readonly end: () => Promise<Rebuilt> }[] = [];
  for (const projection of await projections(world))
    if (projection.kind === "projector")
      asked.push({ projection, end: await ask(world, projection, true) });
  for (const { projection, end } of asked) {
    const { status, result, error } = await end();
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
