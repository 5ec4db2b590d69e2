import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePdu, encodePdu } from "../../src/smpp/codec.ts";
import { createFrames } from "../../src/smpp/frames.ts";
import type { Pdu } from "../../src/smpp/pdu.ts";
import { anyPdu, pduOf } from "./arbitraries.ts";
import { python, smpp34Missing } from "./smpp34.ts";

describe("the codec", () => {
  test("reads what it writes, however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(anyPdu, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 40 }),
        (pdus, cut) => {
          const stream = Buffer.concat(pdus.map(encodePdu));
          const frames = createFrames();
          const read: unknown[] = [];
          for (let at = 0; at < stream.length; at += cut)
            read.push(...frames(stream.subarray(at, at + cut))!.map(decodePdu));
          expect(read).toEqual(pdus);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("never throws on what comes, and reads on behind a PDU that is none", () => {
    fc.assert(
      fc.property(
        anyPdu,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        anyPdu,
        (pdu, at, byte, next) => {
          const broken = encodePdu(pdu);
          // The frame's length stays: with another one the stream is lost, and closed.
          broken[4 + (at % (broken.length - 4))] = byte;
          const [one, two] = createFrames()(Buffer.concat([broken, encodePdu(next)]))!;
          decodePdu(one!);
          expect(decodePdu(two!)).toEqual(next);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("calls lengths that no PDU has the end of the stream", () => {
    for (const length of [0, 4, 15, 70_001, 0x7fff_ffff, 0xffff_ffff]) {
      const head = Buffer.alloc(16);
      head.writeUInt32BE(length, 0);
      expect(createFrames()(head)).toBeUndefined();
    }
  });

  test("takes an answer without its body, and refuses a request that is cut short", () => {
    const head = (id: number) => {
      const bytes = Buffer.alloc(16);
      for (const [index, value] of [16, id, 0x58, 7].entries())
        bytes.writeUInt32BE(value, index * 4);
      return bytes;
    };
    expect(decodePdu(head(0x8000_0004))).toMatchObject({
      command: "submit_sm_resp",
      status: 0x58,
      sequence: 7,
      fields: { message_id: "" },
    });
    expect(decodePdu(head(0x5))).toMatchObject({ command: "malformed", reason: "wrong length" });
    expect(decodePdu(head(0x77))).toMatchObject({
      command: "malformed",
      reason: "unknown command",
      sequence: 7,
    });
  });
});

/** Strings of that one are ASCII. */
const inAscii = (fields: object) =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === "string"
        ? value.replaceAll(/./gs, (one) => String.fromCharCode(0x20 + (one.charCodeAt(0) % 95)))
        : value,
    ]),
  );

const missing = smpp34Missing();
if (missing !== undefined) process.stdout.write(`skipped: ${missing}\n`);

const decoder = `
import sys, json, smpp34
names = ["command_id", "sequence_number", "source_addr", "source_addr_ton", "source_addr_npi", "destination_addr", "dest_addr_ton", "dest_addr_npi", "esm_class", "protocol_id", "priority_flag", "validity_period", "schedule_delivery_time", "registered_delivery", "data_coding", "service_type"]
text = lambda v: v.decode("latin1") if isinstance(v, bytes) else v
for line in sys.stdin:
    pdu = smpp34.decode(bytes.fromhex(line))
    print(json.dumps({**{n: text(getattr(pdu, n)) for n in names}, "short_message": pdu.short_message.hex(), "tlvs": [[t.tag, bytes(t.value).hex()] for t in pdu.tlvs], "again": pdu.encode().hex()}))
`;

test.skipIf(missing !== undefined)(
  "an independent decoder reads what it writes, and writes it again",
  () => {
    const some = fc.sample(fc.oneof(pduOf("submit_sm"), pduOf("deliver_sm")), {
      numRuns: 300,
      seed: 34,
    });
    for (const [index, pdu] of some.entries())
      some[index] = { ...pdu, status: 0, fields: inAscii(pdu.fields) } as Pdu;
    const lines = some.map((pdu) => encodePdu(pdu).toString("hex"));
    const { stdout, stderr } = spawnSync(python, ["-c", decoder], { input: lines.join("\n") });
    expect(stderr.toString()).toBe("");
    const read = stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const [index, pdu] of some.entries()) {
      const { short_message, ...fields } = pdu.fields as Record<string, unknown>;
      const { again, command_id: _, sequence_number, ...seen } = read[index]!;
      expect(again).toBe(lines[index]);
      expect(sequence_number).toBe(pdu.sequence);
      expect({ ...fields, ...seen }).toEqual({
        ...fields,
        short_message: (short_message as Buffer).toString("hex"),
        tlvs: pdu.tlvs.map(([tag, value]) => [tag, value.toString("hex")]),
      });
    }
  },
);
