import fc from "fast-check";
import { commandIds, layouts, type Command, type Field, type Pdu } from "../../src/smpp/pdu.ts";

const latin1 = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
const bytes = (most: number) =>
  fc.uint8Array({ maxLength: most }).map((value) => Buffer.from(value));

function valueOf(field: Field): fc.Arbitrary<number | string | Buffer> {
  switch (field.type) {
    case "int8":
      return fc.integer({ min: 0, max: 255 });
    case "text":
      return fc.string({ unit: latin1, maxLength: field.most - 1 });
    case "octets":
      return bytes(255);
    default:
      return field satisfies never;
  }
}

/** Any PDU of a command, as the codec writes it. */
export const pduOf = (command: Command): fc.Arbitrary<Pdu> =>
  fc.record({
    command: fc.constant(command),
    status: fc.integer({ min: 0, max: 0xffff_ffff }),
    sequence: fc.integer({ min: 1, max: 0x7fff_ffff }),
    fields: fc.record(
      Object.fromEntries(
        Object.entries(layouts[command]).map(([name, field]) => [name, valueOf(field)]),
      ),
    ),
    tlvs: fc.array(fc.tuple(fc.integer({ min: 0, max: 0xffff }), bytes(300)), { maxLength: 4 }),
  }) as unknown as fc.Arbitrary<Pdu>;

export const anyPdu = fc.oneof(...(Object.keys(commandIds) as Command[]).map(pduOf));
