import { until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { openDesk } from "./desk.ts";

const { world, keys, signedIn, read, fetchPage } = await openDesk();
const key = keys.sandboxKey;
const cookie = await signedIn();

/** A name that turns the text around it, and markup that would run. */
const stranger = `<img src=x onerror=alert(1)>\u202eabc`;

const ok = async (method: string, path: string, body?: object) => {
  const answer = await world.call(method, `/api/v1${path}`, { key, body });
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
};
/** Somebody writes; gives the conversation that it is in. */
const says = async (from: string, text: string): Promise<string> => {
  await ok("POST", "/sandbox/inbound", { channel: "sms", from, text });
  const found = await until(
    async () => {
      const { data } = await ok("GET", "/conversations?channel=sms&limit=100");
      const rows = data as {
        id: string;
        address: { id: string };
        last_message: { text: string };
      }[];
      return rows.find((row) => row.address.id === from && row.last_message.text === text);
    },
    { what: `the conversation with ${from}` },
  );
  return found.id;
};

test("an inbox shows who wrote, and a thread what was said, in a stranger's words but never as markup", async () => {
  expect(await read(cookie, "/console/conversations")).toContain("The inbox is empty");
  const id = await says("+15557770001", stranger);
  const inbox = await read(cookie, "/console/conversations");
  expect(inbox).toContain(`href="/console/conversations/${id}"`);
  expect(inbox).toContain("1 unread");
  expect(inbox).toContain("<bdi>&lt;img src=x onerror=alert(1)&gt;\u202eabc</bdi>");
  expect(await read(cookie, "/console/conversations?view=unassigned")).toContain(id);
  expect(await read(cookie, "/console/conversations?view=mine")).not.toContain(id);
  expect(await read(cookie, "/console/conversations?status=closed")).not.toContain(id);

  await ok("POST", `/conversations/${id}/notes`, { text: "Asked the carrier" });
  const thread = await read(cookie, `/console/conversations/${id}`);
  expect(thread).toContain('<li class="inbound">');
  expect(thread).toContain('<li class="note">');
  expect(thread).toContain("not seen by the person");
  expect(thread).not.toContain("<img src=x");
});

test("a contact is found by part of the name and by an external id, and shows all that is known", async () => {
  const made = await ok("POST", "/contacts", {
    name: stranger,
    external_ids: [{ source: "crm", id: "C-77" }],
    attributes: { plan: "gold" },
  });
  await ok("POST", `/contacts/${made.id}/consents`, {
    channel: "sms",
    purpose: "offers",
    status: "granted",
    evidence: "form",
  });
  const path = `/console/contacts/${made.id}`;
  await until(
    async () => (await read(cookie, "/console/contacts?external_id=C-77")).includes(path),
    { what: "the contact is listed" },
  );
  expect(await read(cookie, "/console/contacts?q=onerr")).toContain(path);
  expect(await read(cookie, "/console/contacts?q=nobody")).toContain("Nobody fits");
  const page = await read(cookie, path);
  for (const text of ["C-77", "plan", "gold", "offers", "<h1><bdi>&lt;img"])
    expect(page).toContain(text);
  expect(page).not.toContain("<img src=x");

  const file = await fetchPage("/console/contacts/export", { headers: { cookie } });
  expect(file.headers.get("content-disposition")).toContain("contacts.csv");
  expect(file.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(await file.text()).toContain("C-77");
  await read(cookie, "/console/contacts/cnt_00000000000000000000000000", 404);
});
