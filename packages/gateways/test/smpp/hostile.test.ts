import { until } from "@heliograph/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { Pool } from "../../src/smpp/pool.ts";
import { never, smppSetting, textOf, type Setting } from "./setting.ts";

const open: Setting[] = [];
afterEach(async () => {
  for (const setting of open.splice(0)) await setting.close();
});
async function set(options: Parameters<typeof smppSetting>[0] = {}): Promise<Setting> {
  const setting = await smppSetting(options);
  open.push(setting);
  return setting;
}

describe("a connection", () => {
  test("to a centre that asks and does not read ends, and is made again", async () => {
    const { gateway, smsc, said } = await set();
    gateway.listen!();
    await until(() => smsc.bound.length === 1);
    const [first] = smsc.bound;
    smsc.stall(first!);
    const links = Buffer.from("00000010000000150000000000000063".repeat(65_536), "hex");
    const ended = () =>
      said.some(({ fields }) => fields.reason === "the message centre does not read");
    await until(() => {
      if (!ended()) smsc.write(links, first);
      return ended();
    });
    await until(() => smsc.bound.some((number) => number !== first));
  });

  test("tells of odd things, and not of all of thousands", async () => {
    const { gateway, smsc, said } = await set();
    gateway.listen!();
    await until(() => smsc.bound.length === 1);
    smsc.write(Buffer.from("00000010000000990000000000000008".repeat(2_000), "hex"));
    await until(() => smsc.others.length === 2_000);
    const odd = said.filter(({ message }) => message === "a PDU that cannot be read");
    expect(odd.length).toBe(100);
    expect(odd.at(-1)!.fields).toHaveProperty("further");
  });

  test("takes no answer to another question for the one to a submit, and a nack without a reason for a refusal", async () => {
    const { gateway, smsc, said } = await set();
    smsc.behave(() => ({ type: "silent" }));
    const sent = gateway.send(textOf("Hello"), never);
    await until(() => smsc.submits.length === 1);
    const header = (command: number): Buffer => {
      const bytes = Buffer.alloc(16);
      for (const [index, word] of [16, command, 0, smsc.submits[0]!.sequence].entries())
        bytes.writeUInt32BE(word, 4 * index);
      return bytes;
    };
    smsc.write(header(0x8000_0015));
    await until(() =>
      said.some(({ message }) => message === "an answer to nothing that was asked"),
    );
    smsc.write(header(0x8000_0000));
    expect(await sent).toMatchObject({ type: "rejected", error: { permanent: false } });
  });

  test("is no place for who has given up", async () => {
    const pool = new Pool(() => []);
    expect(await pool.place(AbortSignal.abort())).toEqual({ type: "given_up" });
  });

  test("leaves deliveries with the centre where too many octets are being stored", async () => {
    const { gateway, smsc } = await set({
      tools: { received: () => new Promise<void>(() => undefined) },
    });
    gateway.listen!();
    await until(() => smsc.bound.length === 1);
    let later = 0;
    const payload: [number, Buffer] = [0x0424, Buffer.alloc(60_000, "x")];
    for (let index = 0; index < 100; index++)
      void smsc
        .deliver({ from: "1", to: "2", tlvs: [payload] })
        .then((status) => (later += status === 0x64 ? 1 : 0))
        .catch(() => undefined);
    // 69 of them are 4 MB.
    await until(() => later === 31);
  });
});
