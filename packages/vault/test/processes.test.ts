import { newId } from "@heliograph/contracts";
import { newLogger, openPool } from "@heliograph/runtime";
import { spawnService, testDatabase, testVault, until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { erasedText, rememberedMs } from "../src/index.ts";

const child = new URL("./child.ts", import.meta.url).pathname;
type Told = { readonly at: number; readonly text: string; readonly sealed: string };

test.each([
  ["a contact, which has no key for ever", newId("cnt")],
  ["an address, which gets a new one", "adr:1"],
])(
  "another process uses a destroyed key for a second at most, and nothing that it sealed is ever read: %s",
  async (_, subject) => {
    const database = await testDatabase();
    const connection = { connectionString: database.url };
    const pool = openPool(connection, { name: "test", max: 2, durable: true }, newLogger("silent"));
    try {
      const vault = await testVault(pool);
      const partner = newId("ptn");
      const token = (await vault.seal({ partner, subject }))("Ada");
      const other = spawnService(child, {}, [database.url, partner, subject, token]);
      const told = (): readonly Told[] =>
        other
          .output()
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Told);
      await other.outputMatching(/"text":"Ada"/);
      const [destroyed] = await vault.destroy(partner, [subject]);
      const destroyedBy = Date.now();
      await until(() => told().at(-1)!.at > destroyedBy + rememberedMs + 200);
      await other.stop();

      for (const { at, text } of told())
        if (at > destroyedBy + rememberedMs) expect(text).toBe(erasedText);
      const sealed = told().map((each) => each.sealed);
      const packed = token.split(".")[1]!;
      const late = sealed.filter((each) => each.includes(packed));
      expect(late.length).toBeGreaterThan(0);
      const fresh = await testVault(pool);
      for (const each of late) expect((await fresh.open(partner, each))(each)).toBe(erasedText);
      const last = sealed.at(-1)!;
      const isContact = subject.startsWith("cnt_");
      expect((await fresh.open(partner, last))(last)).toBe(isContact ? erasedText : "late");
      const { rows } = await pool.query<{ id: string; gone: boolean }>(
        "select id, wrapped is null as gone from vault.keys where subject = $1 order by created_at",
        [subject],
      );
      expect(rows[0]).toEqual({ id: destroyed!.id, gone: true });
      expect(rows.map(({ gone }) => gone)).toEqual(isContact ? [true] : [true, false]);
    } finally {
      await pool.end();
      await database.drop();
    }
  },
  30_000,
);
