import { accountOf, type Environment } from "@heliograph/contracts";
import { isStopped, type GatewayDirectory } from "@heliograph/runtime";

type Directory = Pick<GatewayDirectory, "partner" | "onChange">;

export const isSuspended = (
  directory: Pick<Directory, "partner">,
  partner: string | undefined,
): boolean => partner !== undefined && isStopped(directory.partner(accountOf(partner)));

/**
 * Tells when a partner that was found suspended is active again: then what is held is looked at. Asks after those alone that something is held of.
 */
export function watchHeld(
  directory: Directory,
  released: () => void,
): { note(partner: string): void; close(): void } {
  const held = new Set<string>();
  const forget = directory.onChange(() => {
    const before = held.size;
    for (const partner of held) if (!isSuspended(directory, partner)) held.delete(partner);
    if (held.size < before) released();
  });
  return { note: (partner) => held.add(partner), close: forget };
}

/** Why nothing is sent of a partner now: it is suspended or leaving, which is noted, or its sandbox was reset after the message, or another installation sends it. */
export function silenceOf(
  context: {
    readonly directory: Pick<GatewayDirectory, "partner" | "isOver">;
    readonly environment: Environment;
  },
  held: Pick<ReturnType<typeof watchHeld>, "note">,
  partner: string | undefined,
): "held" | "over" | undefined {
  if (context.directory.isOver(context.environment, partner)) return "over";
  if (!isSuspended(context.directory, partner)) return undefined;
  held.note(partner!);
  return "held";
}
