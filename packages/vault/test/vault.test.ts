import { randomBytes } from "node:crypto";
import { masterKeyOf, newId } from "@heliograph/contracts";
import { newLogger, openPool, prepareTables } from "@heliograph/runtime";
import { testDatabase, until } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { erasedText, openVault, resealVault, vaultTables, type Vault } from "../src/index.ts";
import { gathered } from "../src/gathered.ts";
import { example } from "./readme.ts";

let database: Awaited<ReturnType<typeof testDatabase>>;
let pool: ReturnType<typeof openPool>;
let vault: Vault;
const masterKey = randomBytes(32);
const partner = newId("ptn");

beforeAll(async () => {
  database = await testDatabase();
  pool = openPool(database.config, { name: "test", max: 4, durable: true }, newLogger("silent"));
  await prepareTables(pool, [vaultTables]);
  vault = await openVault(pool, masterKey, "sandbox");
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

test("a sealed text opens wherever it stands, and nothing else changes", async () => {
  expect(await example(vault, partner, newId("cnt"))).toBe("Ada");
  const seal = await vault.seal({ partner, subject: newId("cnt") });
  const value = {
    name: seal('Zo"ë\n'),
    list: [{ id: seal("+1") }, 3, null],
    at: new Date(0),
    text: "sealed:",
  };
  const open = await vault.open(partner, value);
  expect(open(value)).toEqual({
    name: 'Zo"ë\n',
    list: [{ id: "+1" }, 3, null],
    at: value.at,
    text: "sealed:",
  });
  const [json] = await vault.openJson(partner, [JSON.stringify(value)]);
  expect(JSON.parse(json!)).toMatchObject({ name: 'Zo"ë\n', list: [{ id: "+1" }, 3, null] });
});

test("records are given to their partners together, and are read as theirs at once; one that was posted again meanwhile is no trouble", async () => {
  const records = [newId("cbk"), newId("cbk")];
  const seals = await vault.seals(records.map((subject) => ({ partner: "", subject })));
  const tokens = seals.map((seal, at) => seal(`report ${at}`));
  // The keys are in use as nobody's.
  expect((await vault.open("", tokens))(tokens)).toEqual(["report 0", "report 1"]);
  const adopted = records.map((subject, at) => ({ subject, partner, owners: [`storm-${at}`] }));
  await vault.adopt(adopted);
  expect((await vault.open(partner, tokens))(tokens)).toEqual(["report 0", "report 1"]);
  expect((await vault.open("", tokens))(tokens)).toEqual(tokens);
  await vault.seals(records.map((subject) => ({ partner: "", subject })));
  await vault.adopt(adopted);
  await vault.destroy(partner, ["storm-1"]);
  expect((await vault.open(partner, tokens))(tokens)).toEqual(["report 0", erasedText]);
});

test("a record that is about two people goes with either, whether both are known at once or one after the other", async () => {
  const [together, later] = [newId("cbk"), newId("cbk")];
  const tokens = (
    await vault.seals([together, later].map((subject) => ({ partner: "", subject })))
  ).map((seal) => seal("of both"));
  const about = (subject: string, owner: string) => ({ subject, partner, owners: [owner] });
  await vault.adopt([about(together, "ann"), about(together, "bob"), about(later, "bob")]);
  await vault.adopt([about(later, "cem")]);
  // Once more, as after a crash: nothing is lost of it.
  await vault.adopt([about(later, "bob"), about(together, "ann")]);
  const owners = async () =>
    new Map(
      (await vault.owned(partner, ["ann", "bob", "cem"])).map((key) => [
        key.subject,
        key.owners.toSorted(),
      ]),
    );
  expect(await owners()).toEqual(
    new Map([
      [together, ["ann", "bob"]],
      [later, ["bob", "cem"]],
    ]),
  );
  await vault.destroy(partner, ["ann"]);
  expect((await vault.open(partner, tokens))(tokens)).toEqual([erasedText, "of both"]);
  await vault.destroy(partner, ["cem"]);
  expect((await vault.open(partner, tokens))(tokens)).toEqual([erasedText, erasedText]);
});

test("a destroyed key makes every token of the subject, and of what it owns, unreadable for ever, in every process", async () => {
  const contact = newId("cnt");
  const [own, record, other] = await vault.seals([
    { partner, subject: contact },
    { partner, subject: newId("inb"), owners: [vault.name(partner, "sms", "+15551234567")] },
    { partner, subject: newId("cnt") },
  ]);
  const value = [own!("Ada"), record!("raw"), other!("Bea")];
  const names = [contact, vault.name(partner, "sms", "+15551234567")];
  const destroyed = await vault.destroy(partner, names);
  expect(destroyed).toHaveLength(2);
  expect(await vault.destroy(partner, names)).toEqual(destroyed);
  for (const each of [vault, await openVault(pool, masterKey, "sandbox")])
    expect((await each.open(partner, value))(value)).toEqual([erasedText, erasedText, "Bea"]);
  // An address may be somebody else's the next day; a contact never comes back, also one that had no key yet.
  const address = { partner, subject: "adr_1" };
  const before = (await vault.seal(address))("old");
  await vault.destroy(partner, [address.subject, "cnt_without_key"]);
  const both = [before, (await vault.seal(address))("new")];
  expect((await vault.open(partner, both))(both)).toEqual([erasedText, "new"]);
  for (const subject of [contact, "cnt_without_key"])
    expect((await vault.seal({ partner, subject }))("late")).toBe(erasedText);
});

test("a token of another partner, a changed one and a made-up one stay as they are", async () => {
  const token = (await vault.seal({ partner, subject: newId("cnt") }))("secret");
  const changed = `${token.slice(0, -2)}${token.endsWith("AA") ? "BB" : "AA"}`;
  const madeUp = `sealed:v1.${"A".repeat(22)}.${"A".repeat(40)}`;
  const stranger = await vault.open(newId("ptn"), token);
  expect(stranger(token)).toBe(token);
  const open = await vault.open(partner, [changed, madeUp]);
  expect(open([changed, madeUp])).toEqual([changed, madeUp]);
  expect(await vault.openJson(newId("ptn"), [JSON.stringify({ token })])).toEqual([
    JSON.stringify({ token }),
  ]);
});

test("many who seal for one new subject at once share its key", async () => {
  const subject = newId("cnt");
  const vaults = await Promise.all([1, 2, 3].map(() => openVault(pool, masterKey, "sandbox")));
  const tokens = await Promise.all(
    Array.from({ length: 12 }, async (_, index) =>
      (await vaults[index % 3]!.seal({ partner, subject }))("x"),
    ),
  );
  expect(new Set(tokens.map((token) => token.split(".")[1])).size).toBe(1);
});

test("names are the same in every process of an environment, and another master key opens nothing", async () => {
  const twin = await openVault(pool, masterKey, "sandbox");
  expect(twin.name("a", "b")).toBe(vault.name("a", "b"));
  expect(vault.name("a", "b")).not.toBe(vault.name("ab"));
  expect(vault.name("a")).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  await expect(openVault(pool, randomBytes(32), "sandbox")).rejects.toThrow();
  await expect(openVault(pool, masterKey, "live")).rejects.toThrow();
});

test("keys are wrapped anew under another master key, once, and one that an erasure destroys in that moment stays destroyed", async () => {
  const next = randomBytes(32);
  const both = masterKeyOf(next, masterKey);
  const subjects = ["adr_kept", "adr_gone"].map((subject) => ({ partner, subject }));
  const tokens = (await vault.seals(subjects)).map((seal) => seal("Ada"));
  const how = { renew: true, onPage: () => undefined };
  const count = async (renew: boolean) => resealVault(pool, both, "sandbox", { ...how, renew });
  const { left: all } = await count(false);
  const eraser = await pool.connect();
  try {
    await eraser.query("begin");
    await eraser.query(
      "update vault.keys set wrapped = null, destroyed_at = now() where subject = 'adr_gone'",
    );
    const resealing = count(true);
    await until(async () => {
      const { rows } = await pool.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows.length > 0;
    });
    await eraser.query("commit");
    expect(await resealing).toEqual({ renewed: all - 1, left: 1, lost: 0 });
  } finally {
    eraser.release();
  }
  expect(await count(false)).toEqual({ renewed: 0, left: 0, lost: 0 });
  const renewed = await openVault(pool, next, "sandbox");
  expect((await renewed.open(partner, tokens))(tokens)).toEqual(["Ada", erasedText]);
  expect(renewed.name("x")).toBe(vault.name("x"));
  // And back, for the tests that follow; a key of neither is told.
  const back = masterKeyOf(masterKey, next);
  expect((await resealVault(pool, back, "sandbox", how)).renewed).toBe(all - 1);
  const neither = masterKeyOf(randomBytes(32), randomBytes(32));
  expect(await resealVault(pool, neither, "sandbox", how)).toMatchObject({
    left: 0,
    lost: all - 1,
  });
});

test("what is asked for meanwhile is asked for at once, and a question that fails is no other's", async () => {
  const rounds: string[][] = [];
  const ask = gathered(
    (item: string) => item,
    async (items) => {
      rounds.push([...items]);
      await Promise.resolve();
      if (items.includes("broken")) throw new Error("broken");
      return new Map(items.map((item) => [item, item.toUpperCase()]));
    },
  );
  const [first, second, third] = await Promise.all([ask(["a"]), ask(["b", "a"]), ask(["c"])]);
  expect([first.get("a"), second.get("b"), third.get("c")]).toEqual(["A", "B", "C"]);
  expect(rounds).toEqual([["a", "b", "c"]]);
  const failing = ask(["broken"]);
  const after = failing.catch(() => ask(["d"]));
  await expect(failing).rejects.toThrow("broken");
  expect((await after).get("d")).toBe("D");
});
