import { sealSecret, uuid5 } from "@heliograph/contracts";
import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";
import { addMail, mailPart } from "./tables/mails.ts";

/** A mail of the installation itself. Processes that serve the API send what is kept of it. */
export type Mail = { readonly to: string; readonly subject: string; readonly text: string };

/** Keeps a mail until it is sent, in the transaction of what it tells; of one name there is one. */
export const postMail = (
  client: pg.ClientBase,
  masterKey: Buffer,
  name: string,
  mail: Mail,
): Promise<void> => addMail(client, uuid5("mail", name), sealedMail(masterKey, mail));

/** The same with the checkpoint of a consumer of the platform's log. */
export const postedMail = (masterKey: Buffer, name: string, mail: Mail): WritePart =>
  mailPart(uuid5("mail", name), sealedMail(masterKey, mail));

const sealedMail = (masterKey: Buffer, mail: Mail): string =>
  sealSecret(masterKey, JSON.stringify(mail));
