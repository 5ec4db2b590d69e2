import type { Call } from "./call.ts";

/** What is shown to the caller, with the texts of persons in it opened; those whose key is destroyed read `[erased]`. What holds none is given back as it is. */
export async function openedFor<Shown extends object>(
  { deps, partner }: Pick<Call, "deps" | "partner">,
  shown: Shown,
): Promise<Shown> {
  const open = await deps.vault.open(partner.partner_id, shown);
  return open(shown);
}
