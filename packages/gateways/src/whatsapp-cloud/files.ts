import { z } from "zod";
import { jsonIn } from "../json-in.ts";
import {
  NoReceivedFile,
  refusedFile,
  type AskProvider,
  type FileAddress,
} from "../received-file.ts";
import { graphAddress } from "./connector.ts";
import type { WhatsappSecrets, WhatsappSettings } from "./settings.ts";

const MediaId = z.string().regex(/^[\w-]{1,128}$/);
const Media = z.object({
  url: z.string().max(4_000),
  /** Meta's documentation has it as a text. */
  file_size: z.coerce.number().int().min(0).optional().catch(undefined),
});

/** Meta's own, from where it gives files out. The token goes nowhere else, whatever an answer says. */
const metaHost = /(^|\.)(fbsbx\.com|facebook\.com|fbcdn\.net|whatsapp\.net)$/;

/** Meta keeps a file for 30 days and gives an address of it for five minutes (Graph API, "Retrieve Media URL"): it is asked for anew before each try. */
export async function whatsappFile(
  file: string,
  { settings, secrets }: { readonly settings: WhatsappSettings; readonly secrets: WhatsappSecrets },
  ask: AskProvider,
): Promise<FileAddress> {
  if (!MediaId.safeParse(file).success)
    throw new NoReceivedFile("gone", "the provider names no file");
  const base = graphAddress(settings);
  const headers = { authorization: `Bearer ${secrets.access_token}` };
  const { status, body } = await ask(
    `${base}/${file}?phone_number_id=${settings.phone_number_id}`,
    headers,
  );
  if (status !== 200) throw refusedFile(status, [400, 404, 410]);
  const { url = "", file_size: bytes } = Media.safeParse(jsonIn(body)).data ?? {};
  const address = URL.canParse(url) ? new URL(url) : undefined;
  const isConfigured = address?.origin === new URL(base).origin;
  if (
    address === undefined ||
    !(isConfigured || (address.protocol === "https:" && metaHost.test(address.hostname)))
  )
    throw new NoReceivedFile("refused", "the provider names an address that is none of its own");
  return { url, headers, isConfigured, bytes };
}
