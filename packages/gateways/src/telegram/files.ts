import { z } from "zod";
import { jsonIn } from "../json-in.ts";
import {
  NoReceivedFile,
  refusedFile,
  type AskProvider,
  type FileAddress,
} from "../received-file.ts";
import { telegramBase } from "./connector.ts";
import type { TelegramSecrets, TelegramSettings } from "./settings.ts";

const Answer = z.object({
  ok: z.boolean(),
  description: z.string().catch(""),
  result: z
    .object({
      file_path: z.string().max(512),
      file_size: z.int().min(0).optional().catch(undefined),
    })
    .optional(),
});
/** A relative path of Telegram's, such as `photos/file_7.jpg`: it leads nowhere else. */
const filePath = /^(?!.*(^|\/)\.\.?(\/|$))[\w.-]+(\/[\w.-]+)*$/;

/** The address of a file holds for an hour at least (Bot API, `getFile`) and has the token in it: it is asked for anew before each try. */
export async function telegramFile(
  file: string,
  { settings, secrets }: { readonly settings: TelegramSettings; readonly secrets: TelegramSecrets },
  ask: AskProvider,
): Promise<FileAddress> {
  const base = telegramBase(settings);
  const bot = `bot${secrets.bot_token}`;
  const { status, body } = await ask(
    `${base}/${bot}/getFile?file_id=${encodeURIComponent(file)}`,
    {},
  );
  const answer = Answer.safeParse(jsonIn(body)).data;
  if (/too big/i.test(answer?.description ?? ""))
    throw new NoReceivedFile("too_large", "the provider gives out no file of this size");
  if (status !== 200) throw refusedFile(status, [400]);
  const path = answer?.result?.file_path ?? "";
  if (!filePath.test(path)) throw new NoReceivedFile("unreachable", "the provider names no file");
  const bytes = answer?.result?.file_size;
  return { url: `${base}/file/${bot}/${path}`, headers: {}, isConfigured: true, bytes };
}
