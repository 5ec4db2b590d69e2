import { until } from "@heliograph/testkit";
import { testBrowser, type Page } from "@heliograph/testkit/browser";
import { formOf } from "@heliograph/html";
import { regionsIn } from "../src/live/region.ts";
import { contactImports } from "../src/pages/contact-import.ts";
import type { Shown, Visit } from "../src/page.ts";
import { afterAll, describe, expect, test } from "vitest";
import { enter, sentTwiceByBack } from "./browsing.ts";
import { form, hiddenIn, openDesk } from "./desk.ts";

const { world, keys, base, signedIn, read, press, fetchPage } = await openDesk();
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

const agents = (await ok("GET", "/agents")).data as { id: string; email: string }[];
const agentId = agents.find(({ email }) => email === keys.agent.email)!.id;

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

test("a conversation is answered once however often the form is posted, noted, and moved through its states", async () => {
  const id = await says("+15557770002", "Hello?");
  const at = `/console/conversations/${id}`;
  const text = await read(cookie, at);
  const fields = { ...hiddenIn(text, `${at}/reply`), text: "How can we help?" };
  const sent = await Promise.all(
    [1, 2].map(() => fetchPage(`${at}/reply`, form(fields, { cookie }))),
  );
  expect(sent.map(({ status }) => status)).toEqual([303, 303]);
  const refused = await press(cookie, at, `${at}/reply`, { text: "" });
  expect(refused.status).toBe(422);
  await press(cookie, at, `${at}/reply`, { text: "Only for us", note: "1" });
  const { data } = await ok("GET", `/conversations/${id}/messages`);
  expect(data.map((each: { direction: string }) => each.direction)).toEqual([
    "inbound",
    "outbound",
    "note",
  ]);
  const stateOf = async () => await ok("GET", `/conversations/${id}`);
  const stale = hiddenIn(await read(cookie, at), `${at}/close`);
  for (const [name, wanted] of [
    ["assign", { assignee: { name: "Demo Owner" } }],
    ["unassign", { assignee: null }],
    ["read", { unread: 0 }],
    ["close", { status: "closed" }],
    ["reopen", { status: "open" }],
  ] as const) {
    const who = name === "assign" ? { agent_id: agentId } : undefined;
    expect((await press(cookie, at, `${at}/${name}`, who)).status).toBe(303);
    expect(await stateOf()).toMatchObject(wanted);
  }
  const until = new Date(Date.now() + 3_600_000).toISOString();
  expect((await press(cookie, at, `${at}/snooze`, { until })).status).toBe(303);
  expect(await stateOf()).toMatchObject({ status: "snoozed" });
  // What was shown before somebody else acted does not close it.
  expect((await fetchPage(`${at}/close`, form(stale, { cookie }))).status).toBe(412);
});

test("a contact is made, edited as it was seen, and erased with a certificate", async () => {
  const fields = {
    name: "Grace",
    source: "crm",
    external_id: "C-88",
    attributes: "plan=gold\nseats=3",
  };
  const made = await press(cookie, "/console/contacts/new", "/console/contacts/new", fields);
  const at = made.headers.get("location")!.split("?")[0]!;
  const id = at.split("/").at(-1)!;
  const again = await press(cookie, "/console/contacts/new", "/console/contacts/new", fields);
  expect(again.status).toBe(409);
  expect(await again.text()).toContain(`href="${at}"`);

  // What no line of the form holds is not shown there, and stays.
  const strange = { note: "one\ntwo", blank: " x " };
  await ok("PATCH", `/contacts/${id}`, { attributes: strange });

  const seen = hiddenIn(await read(cookie, `${at}/edit`), `${at}/edit`);
  const edit = { ...seen, name: "Grace Hopper", attributes: "plan=silver", tags: "navy" };
  expect((await fetchPage(`${at}/edit`, form(edit, { cookie }))).status).toBe(303);
  expect(await ok("GET", `/contacts/${id}`)).toMatchObject({
    name: "Grace Hopper",
    attributes: { plan: "silver", ...strange },
    tags: ["navy"],
  });
  const late = { ...edit, key: "another", name: "Nobody" };
  const refused = await fetchPage(`${at}/edit`, form(late, { cookie }));
  expect(refused.status).toBe(412);
  expect(await refused.text()).toContain('value="Nobody"');

  await press(cookie, at, `${at}/external-ids`, { source: "email", id: "grace@example.com" });
  await press(cookie, at, `${at}/external-ids/remove`);
  expect((await ok("GET", `/contacts/${id}`)).external_ids).toMatchObject([{ source: "email" }]);

  const erased = await press(cookie, `${at}/erase`, `${at}/erase`);
  expect(erased.headers.get("location")).toBe(`${at}/erasure`);
  await until(async () => (await read(cookie, `${at}/erasure`)).includes("Certificate"), {
    what: "the certificate",
  });
  expect(await read(cookie, at, 410)).not.toContain("Grace");
});

/** What a page tells after a form. */
const told = async (answer: Response): Promise<string> => {
  const text = await read(cookie, answer.headers.get("location")!);
  return /class="flash"[^>]*>([^<]*(?:<(?!\/p>)[^<]*)*)/.exec(text)?.[1] ?? "";
};

test("an answer tells what became of it", async () => {
  for (const [from, outcome] of [
    ["+15557770001", /is (?:sent|delivered)\./],
    ["+15557770003", /was not sent: it is failed, with \w+/],
  ] as const) {
    const at = `/console/conversations/${await says(from, "Well?")}`;
    const answer = await press(cookie, at, `${at}/reply`, { text: "Yes." });
    expect(await told(answer)).toMatch(outcome);
  }
});

test("a refusal stands on the contact's page, beside what was typed", async () => {
  const taken = { source: "crm", id: "C-99" };
  await ok("POST", "/contacts", { name: "Other", external_ids: [taken] });
  const { id } = await ok("POST", "/contacts", {
    name: "Mary",
    external_ids: [{ source: "crm", id: "C-100" }],
  });
  const at = `/console/contacts/${id}`;
  const twice = await press(cookie, at, `${at}/external-ids`, taken);
  expect(twice.status).toBe(409);
  const text = await twice.text();
  for (const part of ["external_id_taken", "<h1><bdi>Mary", 'value="C-99"', "<details open>"])
    expect(text).toContain(part);
  const gone = await press(cookie, at, `${at}/external-ids/remove`, { id: "C-101" });
  expect([gone.status, (await gone.text()).includes("<h1><bdi>Mary")]).toEqual([404, true]);
  const hiddenFields = hiddenIn(await read(cookie, at), `${at}/external-ids`);
  const undo = { ...hiddenFields, merge_id: "mrg_00000000000000000000000000" };
  const apart = await fetchPage(`${at}/unmerge`, form(undo, { cookie }));
  expect(apart.status).toBeGreaterThanOrEqual(400);
  expect(await apart.text()).toContain("<h1><bdi>Mary");

  const consent = {
    channel: "sms",
    purpose: "x".repeat(65),
    status: "granted",
    evidence: "Said so",
  };
  const long = await press(cookie, at, `${at}/consents`, consent);
  expect([long.status, (await long.text()).includes("Said so</textarea>")]).toEqual([422, true]);
  await press(cookie, at, `${at}/consents`, { ...consent, purpose: "offers" });
  expect((await ok("GET", `/contacts/${id}/consents`)).data).toMatchObject([
    { channel: "sms", purpose: "offers", status: "granted", evidence: "Said so" },
  ]);
  expect(await read(cookie, at)).toContain('<span class="pill good">granted</span>');

  // Accents do not count: an accent alone is nothing to look for.
  const nothing = await read(cookie, "/console/contacts?q=%CC%81&tag=vip", 422);
  for (const part of ['value="\u0301"', 'value="vip"', 'role="alert"', "has nothing to look for"])
    expect(nothing).toContain(part);
});

test("a file of contacts is imported once however often it is posted, and its errors are a file", async () => {
  expect(await read(cookie, "/console/contacts")).toContain('href="/console/contacts/import"');
  const at = "/console/contacts/import";
  const hiddenFields = hiddenIn(await read(cookie, at), at);
  const post = (csv: string, more: Record<string, string> = {}) => {
    const body = new FormData();
    for (const [name, value] of Object.entries({ ...hiddenFields, ...more })) body.set(name, value);
    if (csv !== "") body.set("file", new File([csv], "people.csv", { type: "text/csv" }));
    return fetchPage(at, { method: "POST", headers: { cookie }, body });
  };
  for (const csv of ["", "name,shoe\nAda,39\n"]) {
    const refused = await post(csv, { on_conflict: "skip", key: "refused" });
    expect(refused.status).toBe(422);
    const text = await refused.text();
    expect(text).toContain('role="alert"');
    expect(text).toContain('<option value="skip" selected>');
  }
  const csv = "name,phone\nImported,+15557779001\nBroken,0444123456\n";
  const [first, again] = await Promise.all([post(csv), post(csv)]);
  expect(first.status).toBe(303);
  const to = first.headers.get("location")!;
  expect(again.headers.get("location")).toBe(to);
  const done = await until(
    async () => {
      const text = await read(cookie, to);
      return text.includes('<span class="pill good">done</span>') && text;
    },
    { what: "the import is done" },
  );
  expect(done).toContain("2 rows taken");
  const file = await fetchPage(`${to}/errors`, { headers: { cookie } });
  expect(file.headers.get("content-disposition")).toMatch(/attachment.*import-errors.*csv/);
  expect(await file.text()).toContain("3,2,sms,invalid_phone,");
  await read(cookie, `${at}/imp_00000000000000000000000000`, 404);
});

test("an import that runs is kept up to date until it is over, and a link does it without scripts", async () => {
  const { answer } = contactImports.find(({ path }) => path.endsWith("import/:id"))!;
  const seen = async (found: object): Promise<readonly unknown[]> => {
    const api = {
      get: async () => ({ id: "imp_1", status: "running", error: null, failed: 0, ...found }),
    };
    const visit = {
      api,
      params: { id: "imp_1" },
      query: formOf([]),
      origin: "",
      environment: "sandbox",
    };
    const { body } = (await answer(visit as unknown as Visit)) as Shown;
    const link = 'href="/console/contacts/import/imp_1">Look again</a>';
    return regionsIn(String(body)).map(({ on, text }) => [on, text.includes(link)]);
  };
  expect(await seen({ finished_at: null })).toEqual([["tick", true]]);
  expect(await seen({ finished_at: "2026-01-01T00:00:00Z", status: "done" })).toEqual([
    ["", false],
  ]);
});

const everybody = { channel: "sms", text: "Hello" };

test("a broadcast is drafted, started and seen to its end, with who was skipped and why", async () => {
  const reached = { name: "Bo", external_ids: [{ source: "sms", id: "+15557770061" }] };
  await ok("POST", "/contacts", { ...reached, tags: ["broadcast"] });
  await ok("POST", "/contacts", { name: "Cy", tags: ["broadcast"] });
  const at = "/console/broadcasts";
  expect(await read(cookie, at)).toContain("No broadcast yet");
  const refused = await press(cookie, `${at}/new`, `${at}/new`, {
    tag: "broadcast",
    channel: "sms",
  });
  expect([refused.status, await refused.text()]).toEqual([
    422,
    expect.stringContaining("needs text"),
  ]);
  // A value without its attribute would be everybody.
  const lost = { value: "gold", channel: "sms", text: "Hello" };
  const ofNothing = await press(cookie, `${at}/new`, `${at}/new`, lost);
  expect([ofNothing.status, await ofNothing.text()]).toEqual([
    422,
    expect.stringContaining("a value and no attribute"),
  ]);
  const { id: all } = await ok("POST", "/broadcasts", { ...everybody, audience: {} });
  expect(await read(cookie, `${at}/${all}`)).not.toContain(`action="${at}/${all}/start"`);
  expect(await read(cookie, `${at}/${all}`)).toContain(`href="${at}/${all}/start"`);
  expect(await read(cookie, `${at}/${all}/start`)).toContain("every contact that there is now");
  expect(await read(cookie, `${at}/${all}/preview`)).toContain("no address: ");
  await ok("POST", `/broadcasts/${all}/cancel`);
  const made = await press(cookie, `${at}/new`, `${at}/new`, {
    name: stranger,
    tag: "broadcast",
    channel: "sms",
    text: "Hello",
    per_second: "50",
  });
  const to = new URL(made.headers.get("location")!, base).pathname;
  const drafted = await read(cookie, to);
  expect(drafted).toContain("with the tag <bdi>broadcast</bdi>");
  expect(regionsIn(drafted).map(({ on }) => on)).toEqual([""]);
  expect((await press(cookie, to, `${to}/start`, {})).status).toBe(303);
  const done = await until(async () => {
    const text = await read(cookie, to);
    return text.includes('<span class="pill good">done</span>') && text;
  });
  expect(done).toContain("2 of 2 contacts");
  expect(done).toContain("no address");
  expect(done).not.toContain("<img src=x");
  expect(done).not.toContain(`${to}/cancel`);
  expect(await read(cookie, at)).toContain(to);
  const late = await press(cookie, `${to}/cancel`, `${to}/cancel`, {});
  expect([late.status, await late.text()]).toEqual([409, expect.stringContaining("is done")]);
});

test("a broadcast of each contact's own values is drafted by a form without scripts", async () => {
  const variables = { who: { type: "string", required: true } };
  const languages = { en: { text: "Hi {{who}}" } };
  const hi = { slug: "hi-own", channel: "sms", default_language: "en" };
  await ok("POST", "/templates", { ...hi, variables, languages });
  const at = "/console/broadcasts/new";
  const form = await read(cookie, `${at}?template=hi-own&channel=sms`);
  expect(form).toContain('name="own[who]"');
  const made = await press(cookie, at, at, {
    tag: "nobody-has-it",
    channel: "sms",
    template: "hi-own",
    whose_language: "each contact's own",
    "own[who]": "name",
    "variables[who]": "friend",
  });
  const { pathname } = new URL(made.headers.get("location")!, base);
  expect(await read(cookie, pathname)).toMatch(/each contact's <bdi>name<\/bdi>, or <bdi>friend/);
});

/** A browser on a busy machine takes its time. */
const flowDeadlineMs = 90_000;
const { browser, skip } = await testBrowser();
afterAll(() => browser?.close());

describe.skipIf(browser === undefined)(
  `in a browser${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    /** Waits for what a page shows in the end: by itself with scripts, else by its link. */
    const comes = async (page: Page, text: string, javaScriptEnabled: boolean): Promise<void> => {
      const there = page.locator(`main:has-text("${text}")`);
      if (javaScriptEnabled) return there.waitFor();
      const again = page.locator("a:text-is('Look again')");
      await until(
        async () => {
          if ((await again.count()) > 0) await again.click();
          return (await there.count()) > 0;
        },
        { what: `the page says ${text}` },
      );
    };

    test.each([[false], [true]])(
      "one sends and sees it confirmed, answers a conversation, looks back at the answer's life, merges its contact, takes the merge back and erases the person, scripts on: %s",
      { timeout: flowDeadlineMs },
      async (javaScriptEnabled) => {
        const from = `+1555777100${javaScriptEnabled ? 1 : 2}`;
        const conversation = await says(from, "Is it open today?");
        const other = await ok("POST", "/contacts", { name: `Ada ${from}` });
        const context = await browser!.newContext({ baseURL: base, javaScriptEnabled });
        const page = await context.newPage();
        await enter(page, "/console/send", keys.agent);
        await page.fill("[name=to]", "+15551230001");
        await page.fill("[name=text]", "Your parcel is here");
        await page.click("text=Preview and cost");
        expect(await page.textContent(".notice")).toContain("Nothing was sent yet");
        await page.click("text=Send in the sandbox");
        // It is confirmed by the answer itself, and not by a look at it later.
        expect(new URL(page.url()).pathname).toMatch(/\/messages\/msg_\w+$/);
        expect(await page.textContent(".lead .pill")).toMatch(/sent|delivered/);

        expect(new Set(await sentTwiceByBack(page)).size).toBe(1);

        await page.goto(`/console/conversations/${conversation}`);
        await page.fill("[name=text]", "Until six");
        await page.click(".reply button.main");
        expect(await page.textContent(".flash")).toMatch(/Your answer is (?:sent|delivered)\./);
        expect(await page.textContent(".thread .outbound .text")).toBe("Until six");

        await page.click("text=its life");
        expect(await page.textContent(".lead")).not.toContain("as of #");
        await page.click("text=One back");
        expect(await page.textContent(".lead")).toContain("as of #");
        await page.fill("#step", "0");
        await page.click("text=Show it as of there");
        expect(await page.textContent(".lead")).toMatch(/queued.*as of #/s);
        expect(await page.locator(".timeline > li").count()).toBe(1);
        await page.click("a:text-is('Now')");
        expect(await page.textContent(".lead")).toMatch(/sent|delivered/);
        await page.goto(`/console/conversations/${conversation}`);

        await page.click("#main .facts a");
        await page.click("text=Merge");
        await page.fill("[name=into]", other.id);
        await page.click("button.main");
        expect(await page.textContent("#main .facts")).toContain("1 external ids, 1 conversations");
        await page.click("button.main");
        expect(await page.textContent("h1")).toBe(`Ada ${from}`);
        expect(await page.textContent("#main")).toContain(from);
        await page.click("text=Unmerge");
        expect(await page.textContent(".flash")).toContain("both are contacts of their own");

        await page.click("main a:text-is('Erase')");
        await page.click("button.grave");
        await comes(page, "Certificate", javaScriptEnabled);
        const gone = await page.goto(`/console/contacts/${other.id}`);
        expect([gone!.status(), await page.textContent("main")]).toEqual([
          410,
          expect.not.stringContaining("Ada"),
        ]);
        await context.close();
      },
    );
  },
);
