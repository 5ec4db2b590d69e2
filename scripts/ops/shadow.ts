import type { Environment } from "@heliograph/contracts";
import { rebuildProjector } from "@heliograph/runtime";
import { withProjector } from "./rebuild.ts";
import { shadowText } from "./shadow-text.ts";
import type { Target } from "./target.ts";

/**
 * Computes a projection by this release's code into tables of its own and tells how their rows differ from those that are served, whichever release writes these. True when no row
 * and no column does.
 */
export async function shadow(
  target: Target,
  name: string,
  environment: Environment,
  interrupted: AbortSignal,
): Promise<boolean> {
  const result = await withProjector(target, name, environment, (context, projector, onProgress) =>
    rebuildProjector(context, projector, {
      verifyOnly: true,
      shadow: true,
      signal: interrupted,
      onProgress,
    }),
  );
  process.stdout.write(shadowText(`${name} (${environment})`, result));
  return result.equal === true;
}
