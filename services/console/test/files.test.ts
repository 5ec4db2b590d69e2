import { deterministicId } from "@heliograph/contracts";
import { runningCells, until } from "@heliograph/testkit";
import { placed, tellOfFile } from "@heliograph/testkit/people";
import { describe, expect, test } from "vitest";
import { regionsIn } from "../src/live/region.ts";
import { hiddenIn, openDesk } from "./desk.ts";

const { world, keys, fetchPage, press, read, signedIn } = await openDesk();
const cookie = await signedIn();
const api = (method: string, path: string, key: string, body?: object) =>
  world.call(method, `/api/v1${path}`, { key, ...(body && { body }) });

describe("the wallet", () => {
  const wallet = "/console/wallet";
  const month = new Date().toISOString().slice(0, 7);

  test("has a statement of every month, on the page and as the platform's own file", async () => {
    const page = await read(cookie, wallet);
    expect(page).toContain(`href="${wallet}/statements/${month}"`);
    const asked = await fetchPage(`${wallet}/statements?month=2026-01`, { headers: { cookie } });
    expect([asked.status, asked.headers.get("location")]).toEqual([
      303,
      `${wallet}/statements/2026-01`,
    ]);
    await press(cookie, wallet, `${wallet}/top-up`, { amount: "7.25" });
    const shown = await read(cookie, `${wallet}/statements/${month}`);
    expect(shown).toContain("7.25 <abbr>USD");
    const [, href] = /download href="([^"]*)"/.exec(shown)!;
    const file = await fetchPage(href!, { headers: { cookie } });
    expect(file.headers.get("content-disposition")).toContain(`statement-${month}-USD.csv`);
    expect(await file.text()).toContain(",7.25,");
    const before = /rel="prev">|href="([^"]*)" rel="prev"/.exec(shown)![1]!;
    expect(await read(cookie, before)).toContain("Nothing moved in this month");
    for (const [none, status] of [
      ["2999-01", 404],
      ["may", 422],
    ] as const)
      expect(await read(cookie, `${wallet}/statements/${none}`, status)).toContain(
        `value="${none}"`,
      );
  });

  test("says why a top-up is refused, beside what was typed", async () => {
    const answer = await press(cookie, wallet, `${wallet}/top-up`, { amount: "-1 <b>" });
    const text = await answer.text();
    expect([answer.status, text.includes('value="-1 &lt;b&gt;"')]).toEqual([422, true]);
    expect(text).toContain('role="alert"');
    expect(text).toContain("Transactions, newest first");
  });
});

describe("events", () => {
  test("are read from the newest back and from the beginning on, and keep their type", async () => {
    const placeIn = (text: string, rel: string): string | undefined =>
      new RegExp(`rel="${rel}" href="([^"]*)"`).exec(text)?.[1]?.replaceAll("&amp;", "&");
    const sequences = (text: string): readonly number[] =>
      [...text.matchAll(/Data of (\d+)/g)].map(([, sequence]) => Number(sequence));
    await world.call("POST", "/api/v1/messages", {
      key: keys.sandboxKey,
      body: { channel: "sms", to: "+15551230001", text: "told of" },
    });
    const { body } = await until(
      async () => {
        const found = await world.call("GET", "/api/v1/events?limit=1000", {
          key: keys.sandboxKey,
        });
        return found.body.data.length > 2 && found;
      },
      { what: "something is told" },
    );
    const types = body.data[0].type as string;
    const newest = await read(cookie, "/console/events");
    expect(sequences(newest)).toContain(body.data.at(-1).sequence);
    const first = await read(cookie, `/console/events?after=0&types=${types}`);
    expect(sequences(first)[0]).toBe(body.data[0].sequence);
    expect(placeIn(first, "prev")).toBeUndefined();
    const next = placeIn(first, "next")!;
    expect(new URLSearchParams(next.split("?")[1]).get("types")).toBe(types);
    const second = await read(cookie, next);
    expect(second).toContain(`<option value="${types}" selected`);
    const middle = await read(cookie, `/console/events?before=3&types=${types}`);
    expect(Math.max(...sequences(middle), 0)).toBeLessThan(3);
  });
});

describe("every file", () => {
  /** Begins with each sign that runs, behind each separator, with quotation marks and without. */
  const formulas = ["=1+1", "+1-1", "-1+1|x", "@SUM(A1)", "\t=1+1", "\r=1+1", '"=1+1', "＝1+1"];
  const hostile = formulas.flatMap((formula) =>
    ["", "a;", 'a;"', "a,", "a\t", "a\n", 'a""'].map((before) => before + formula),
  );
  const typed = hostile.filter((text) => !/^[\t\r]/.test(text));

  /** What people and programs of a partner can write into what becomes a row. */
  async function fill(): Promise<void> {
    const key = keys.sandboxKey;
    const tags = hostile.filter((text) => !/[\t\r\n]/.test(text));
    for (let at = 0; at < tags.length; at += 10) {
      const body = { channel: "sms", to: "+15551230001", text: "x", tags: tags.slice(at, at + 10) };
      const sent = await api("POST", "/messages", key, body);
      expect([sent.status, sent.text]).toEqual([202, sent.text]);
    }
    for (const reference of typed.slice(0, 30))
      await api("POST", "/wallet/topups", key, { amount: "0.01", reference: reference.trim() });
    for (const [index, text] of hostile.entries()) {
      const body = {
        name: `${text} ${index}`,
        attributes: { note: text },
        client_ref: `${text}${index}`,
      };
      expect((await api("POST", "/contacts", key, body)).status).toBeLessThan(500);
    }
    // Names of keys stand in the audit, and so does where a refused call went.
    for (const name of typed.slice(0, 10)) await api("POST", "/keys", key, { name });
    await api("GET", `/messages/${encodeURIComponent("=1+1;=2")}`, key);
  }

  /** A form with a file, as a browser posts it. */
  async function imported(csv: string): Promise<string> {
    const path = "/console/contacts/import";
    const body = new FormData();
    for (const [name, value] of Object.entries(hiddenIn(await read(cookie, path), path)))
      body.set(name, value);
    body.set("file", new Blob([csv], { type: "text/csv" }), '=1+1;"><script>.csv');
    const answer = await fetchPage(path, { method: "POST", headers: { cookie }, body });
    expect(answer.status).toBe(303);
    return answer.headers.get("location")!.split("?")[0]!;
  }

  test("has no cell that runs, whatever separator its reader's country has, and numbers are numbers", async () => {
    await fill();
    const page = await imported(
      `name,phone,tags\n${typed.map((text) => `"${text.replaceAll('"', '""')}","${text.replaceAll('"', '""')}",x`).join("\n")}\n`,
    );
    const [, errors] = (await until(
      async () => /href="([^"]*errors[^"]*)"/.exec(await read(cookie, page)),
      { what: "the import is done" },
    )) as RegExpExecArray;
    const month = new Date().toISOString().slice(0, 7);
    await until(async () => (await read(cookie, "/console/usage?group_by=tag")).includes("＝1+1"), {
      what: "the messages are counted",
    });
    const files: [string, string, string][] = [];
    for (const [path, marks] of [
      ["/console/usage/usage.csv?group_by=tag", ",1,"],
      [`/console/wallet/statements/${month}/statement.csv`, ",0.01,0.01,"],
      ["/console/contacts/export", "'=1+1"],
      [errors!.replaceAll("&amp;", "&"), "invalid"],
    ] as const) {
      const answer = await fetchPage(path, { headers: { cookie } });
      const text = await answer.text();
      expect([path, answer.status]).toEqual([path, 200]);
      expect(answer.headers.get("content-type")).toContain("text/csv");
      expect(answer.headers.get("content-disposition")).toMatch(/^attachment; filename="[\w.-]+"$/);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      files.push([path, marks, text]);
    }
    for (const [path, key] of [
      ["/audit/export", keys.sandboxKey],
      ["/admin/audit/export", keys.adminKey],
    ] as const)
      files.push([path, "'", (await api("GET", path, key)).text]);
    for (const [path, marks, text] of files) {
      expect([path, runningCells(text)]).toEqual([path, []]);
      expect([path, text.includes(marks)]).toEqual([path, true]);
    }
  });
});

test("a file of a person that is on its way, and one that was not kept, are said so in the thread while somebody looks", async () => {
  const { sandboxKey: key } = keys;
  const upload = await world.call("POST", "/api/v1/attachments?name=plan.txt", {
    key,
    raw: Buffer.from("a plan"),
    headers: { "content-type": "text/plain" },
  });
  expect(upload.status).toBe(201);
  const media = [{ attachment_id: upload.body.id }];
  const body = { channel: "sms", from: "+15557770009", text: "Look", media };
  const { message_id } = (await api("POST", "/sandbox/inbound", key, body)).body;
  const context = world.platform.contexts.sandbox;
  const { data } = await placed(context, message_id);
  const at = `/console/conversations/${data.conversation_id}`;
  const opens = 'rel="noreferrer"><bdi>plan.txt</bdi></a>';
  const tell = (...news: Parameters<typeof tellOfFile>[3]) =>
    tellOfFile(context, deterministicId("ptn", "demo"), data, news);
  expect(await read(cookie, at)).toContain(opens);
  await tell("ReceivedFileAwaited");
  const awaited = await read(cookie, at);
  expect(awaited).toContain("is being fetched from its provider");
  expect(awaited).not.toContain(opens);
  const { on } = regionsIn(awaited).find(({ id }) => id === "live-thread")!;
  expect(on).toContain(message_id);
  await tell("ReceivedFileLost", { reason: "too_large" });
  expect(await read(cookie, at)).toContain("was not kept: it is too large");
});
