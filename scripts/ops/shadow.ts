import type { Environment } from "@heliograph/contracts";
import { rebuildProjector } from "@heliograph/runtime";
import { newProgress } from "./progress.ts";
import { withProjectors } from "./rebuild.ts";
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
  const progress = newProgress(`${name} (${environment})`);
  const result = await withProjectors(target, [name], environment, (context, [projector]) =>
    rebuildProjector(context, projector!, {
      verifyOnly: true,
      shadow: true,
      signal: interrupted,
      onProgress: (processed, total) => progress.show(Number(processed), Number(total)),
    }),
  ).finally(() => progress.end());
  process.stdout.write(shadowText(`${name} (${environment})`, result));
  return result.equal === true;
}
