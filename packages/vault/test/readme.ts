import type { Vault } from "../src/index.ts";

export async function example(vault: Vault, partner: string, contactId: string): Promise<string> {
  const seal = await vault.seal({ partner, subject: contactId });
  const data = { contact_id: contactId, name: seal("Ada") };
  const open = await vault.open(partner, data);
  const { name } = open(data); // "Ada", and "[erased]" after vault.destroy(partner, [contactId])
  return name;
}
