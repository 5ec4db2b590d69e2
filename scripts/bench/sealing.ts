import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { prepareTables, newLogger, openPool } from "@heliograph/runtime";
import { openVault, vaultTables } from "@heliograph/vault";
import { benchLife } from "./life.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

/** What a contact's profile, or a long text message, takes. */
const textBytes = 330;
const rounds = 50_000;

/** Sealing and opening one text of an event, against the bare cipher over the same bytes; and a message's whole life with and without all sends encrypted. */
export async function benchSealing(url: string): Promise<Row[]> {
  const pool = openPool(
    { connectionString: url },
    { name: "bench", max: 2, durable: true },
    newLogger("silent"),
  );
  try {
    await prepareTables(pool, [vaultTables]);
    const vault = await openVault(pool, randomBytes(32), "sandbox");
    const rows = await benchTokens(vault);
    return [...rows, await benchWholeLife()];
  } finally {
    await pool.end();
  }
}

async function benchTokens(vault: Awaited<ReturnType<typeof openVault>>): Promise<Row[]> {
  const text = randomBytes(textBytes)
    .toString("latin1")
    .replaceAll(/[^ -~]/g, "x");
  const subject = { partner: "ptn_1", subject: "cnt_1" };
  const key = createSecretKey(randomBytes(32));
  const bare = (): void => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
    decipher.setAuthTag(cipher.getAuthTag());
    Buffer.concat([decipher.update(sealed), decipher.final()]).toString("utf8");
  };
  const own = async (): Promise<void> => {
    const token = (await vault.seal(subject))(text);
    const event = { contact_id: "cnt_1", profile: token };
    (await vault.open("ptn_1", event))(event);
  };
  const perEvent = async (run: () => void | Promise<void>): Promise<number> => {
    const start = performance.now();
    for (let round = 0; round < rounds; round++) await run();
    return (performance.now() - start) / rounds;
  };
  await perEvent(own);
  await perEvent(bare);
  const ownMs = await perEvent(own);
  const bareMs = await perEvent(bare);
  return [
    limitRow(
      "encryption: seal and open one text of an event",
      "µs",
      Math.round(ownMs * 10_000) / 10,
      50,
      `${textBytes} bytes, its key remembered`,
    ),
    ratioRow(
      "encryption: events sealed and opened per second",
      "1/s",
      1000 / ownMs,
      { value: 1000 / bareMs, of: "AES-256-GCM alone over the same bytes" },
      0.4,
    ),
  ];
}

async function benchWholeLife(): Promise<Row> {
  const cpuOf = (rows: readonly Row[]): number => rows[0]!.value;
  const plain = cpuOf(await benchLife());
  const sealed = cpuOf(await benchLife({ HELIOGRAPH_ENCRYPT_MESSAGES: "on" }));
  const ratio = Math.round((sealed / plain) * 100) / 100;
  return {
    figure: "whole life with every send encrypted: CPU per message",
    value: sealed,
    unit: "ms",
    baseline: plain,
    ratio,
    goal: "≤ 1.6 × the same without",
    met: ratio <= 1.6,
  };
}
