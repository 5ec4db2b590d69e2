import { expect } from "vitest";
import { form, hiddenIn, type Desk } from "./desk.ts";

type Setting = {
  /** Of an agent who is no operator. */
  readonly cookie: string;
  readonly partner: string;
};

const home = "/console/routing/sender-rules";

export async function expectSenderRules(
  { world, keys, fetchPage, press, read, signedIn }: Desk,
  { cookie, partner }: Setting,
): Promise<void> {
  for (const path of ["", "/new", "/1", "/1/delete"]) await read(cookie, home + path, 403);
  expect(await read(cookie, "/console/routing")).not.toContain(home);
  const operator = await signedIn(keys.operator);
  expect(await read(operator, "/console/routing")).toContain(`href="${home}"`);
  expect(await read(operator, home)).toContain("No rule");
  const rule = { country_prefix: "+91", registered: "SHOPIN\n\n BANKIN ", replacement: "SHOPIN" };
  const make = (fields: Record<string, string>) =>
    press(operator, `${home}/new`, `${home}/new`, fields);
  /** Presses the button of a page twice. */
  const twice = async (path: string, fields: Record<string, string> = {}) => {
    const sent = form(
      { ...hiddenIn(await read(operator, path), path), ...fields },
      { cookie: operator },
    );
    return [await fetchPage(path, sent), await fetchPage(path, sent)].map(({ status }) => status);
  };
  /** What the call of a page would leave, and of which version. */
  const callOf = async (path: string) => {
    const text = (await read(operator, path)).replaceAll("&quot;", '"').replaceAll("&#39;", "'");
    const [, tag, body] = /If-Match: ("[^"]+")'[^]* -d '([^']*)'/.exec(text)!;
    expect(tag).toMatch(/^"\d+"$/);
    return JSON.parse(body!).rules;
  };
  expect((await make(rule)).status).toBe(303);
  const second = { country_prefix: "1", alphanumeric: "no", two_way: "yes" };
  expect(await twice(`${home}/new`, second)).toEqual([303, 303]);
  const api = async () => {
    const key = await world.addKey(partner, { environment: "sandbox", scopes: ["admin"] });
    return (await world.call("GET", "/api/v1/admin/sender-rules", { key })).body.rules;
  };
  const kept = { country_prefix: "91", registered: ["SHOPIN", "BANKIN"], replacement: "SHOPIN" };
  const ours = { country_prefix: "1", alphanumeric: false, two_way: true };
  expect(await api()).toEqual([kept, ours]);
  expect(await callOf(`${home}/new`)).toEqual([
    kept,
    ours,
    { country_prefix: "+2", alphanumeric: false },
  ]);
  expect(await callOf(`${home}/91`)).toEqual([kept, ours]);
  expect(await callOf(`${home}/91/delete`)).toEqual([ours]);
  const listed = await read(operator, home);
  expect(listed).toContain("only 2 that are registered");
  expect(listed).toContain("no names, only numbers that can be answered");

  // What the platform does not take stands there again, with its words; so does what a rule says twice.
  const bad = await make({ country_prefix: "+48", default: "<b>far too long</b>" });
  expect([bad.status, (await bad.text()).includes("&lt;b&gt;far too long&lt;/b&gt;")]).toEqual([
    422,
    true,
  ]);
  expect((await make({ country_prefix: "+91" })).status).toBe(422);

  // Another changed them since the page was shown; and a form that is not ours changes nothing.
  const page = `${home}/91`;
  const seen = hiddenIn(await read(operator, page), page);
  const change = { registered: "SHOPIN", "types[alphanumeric]": "1" };
  expect((await press(operator, page, page, change)).status).toBe(303);
  const stale = await press(operator, page, page, {
    ...change,
    etag: seen["etag"]!,
    default: "SHOPIN",
  });
  expect([stale.status, (await stale.text()).includes('value="SHOPIN"')]).toEqual([412, true]);
  expect((await press(operator, page, page, { ...change, csrf: "forged" })).status).toBe(403);
  expect(await api()).toEqual([
    { country_prefix: "91", types: ["alphanumeric"], registered: ["SHOPIN"] },
    ours,
  ]);
  await read(operator, `${home}/44`, 404);
  for (const prefix of ["91", "1"]) {
    expect(await twice(`${home}/${prefix}/delete`)).toEqual([303, 303]);
  }
  expect(await api()).toEqual([]);
  const audit = await read(operator, "/console/audit");
  expect(audit).toContain("sender-rules");
}
