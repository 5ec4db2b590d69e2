import { openFaults } from "./faults.ts";
import { createContact, removeExternalId, upsertByExternalId } from "../src/commands.ts";
import { mergeContacts, unmergeContacts } from "../src/merge/saga.ts";

/** A command as a request gives it, in a process of its own that a test kills in the middle: the database's address, the partner and the command are its arguments. */
const [url = "", partner = "", command, ...args] = process.argv.slice(2);
const { context, close } = await openFaults(url, partner);
const [one = "", two = "", three = ""] = args;
const crm = (id: string) => ({ source: "crm", id });
const none = async () => ({ conversations: 0, messages: 0 });
switch (command) {
  case "create":
    await createContact(context, { external_ids: args.map(crm) }, { made_by: "api" }, "");
    break;
  case "upsert":
    await upsertByExternalId(context, crm(one), { external_ids: [crm(two)] }, { made_by: "api" });
    break;
  case "remove":
    await removeExternalId(context, one, crm(two));
    break;
  case "merge":
    await mergeContacts(context, { from: one, into: two, mergeId: three }, none);
    break;
  case "unmerge":
    await unmergeContacts(context, one, two);
    break;
  default:
    throw new Error(`there is no command ${command}`);
}
await close();
