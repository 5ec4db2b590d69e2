import { accountOf } from "@heliograph/contracts";
import type { GatewayDirectory } from "@heliograph/runtime";

type Directory = Pick<GatewayDirectory, "partner" | "onChange">;

export const isSuspended = (directory: Directory, partner: string | undefined): boolean =>
  partner !== undefined && directory.partner(accountOf(partner))?.status === "suspended";

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
