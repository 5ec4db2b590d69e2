import { type Command, type Field, type Pdu, type Tlvs, commandIds, layouts } from "./pdu.ts";

export const headerBytes = 16;

const commands = new Map<number, Command>(
  (Object.entries(commandIds) as [Command, number][]).map(([name, id]) => [id, name]),
);
const fieldsOf = Object.fromEntries(
  Object.entries(layouts).map(([name, layout]) => [name, Object.entries(layout)]),
) as unknown as Readonly<Record<Command, readonly (readonly [string, Field])[]>>;

/** A PDU whose frame is whole and whose content is not what its command says: it alone is refused, by its number. */
export type Malformed = {
  readonly command: "malformed";
  readonly id: number;
  readonly status: number;
  readonly sequence: number;
  readonly reason: "unknown command" | "wrong length";
};

type Loose = Readonly<Record<string, number | string | Buffer>>;

/** Throws RangeError for what does not fit its field: that is a fault of the caller, who has to have looked. */
export function encodePdu(pdu: Pdu): Buffer {
  const layout = fieldsOf[pdu.command];
  const fields = pdu.fields as Loose;
  let bytes = headerBytes;
  for (const [name, field] of layout) bytes += bytesOf(name, field, fields[name]!);
  for (const [, value] of pdu.tlvs) bytes += 4 + value.length;
  const buffer = Buffer.allocUnsafe(bytes);
  buffer.writeUInt32BE(bytes, 0);
  buffer.writeUInt32BE(commandIds[pdu.command], 4);
  buffer.writeUInt32BE(pdu.status, 8);
  buffer.writeUInt32BE(pdu.sequence, 12);
  let at = headerBytes;
  for (const [name, field] of layout) at = write(buffer, at, field, fields[name]!);
  for (const [tag, value] of pdu.tlvs) {
    at = buffer.writeUInt16BE(tag, at);
    at = buffer.writeUInt16BE(value.length, at);
    at += value.copy(buffer, at);
  }
  return buffer;
}

function bytesOf(name: string, field: Field, value: number | string | Buffer): number {
  switch (field.type) {
    case "int8":
      return 1;
    case "text": {
      const { length } = value as string;
      if (length >= field.most) throw new RangeError(`${name} has ${length} octets`);
      return length + 1;
    }
    case "octets": {
      const { length } = value as Buffer;
      if (length > 255) throw new RangeError(`${name} has ${length} octets`);
      return length + 1;
    }
    default:
      return field satisfies never;
  }
}

function write(buffer: Buffer, at: number, field: Field, value: number | string | Buffer): number {
  switch (field.type) {
    case "int8":
      return buffer.writeUInt8(value as number, at);
    case "text": {
      const end = at + buffer.write(value as string, at, "latin1");
      return buffer.writeUInt8(0, end);
    }
    case "octets": {
      const bytes = value as Buffer;
      const begin = buffer.writeUInt8(bytes.length, at);
      return begin + bytes.copy(buffer, begin);
    }
    default:
      return field satisfies never;
  }
}

/**
 * Reads one whole frame. An answer may lack its body, which says nothing then: the SMSC leaves it out where the status is an error (section 4.4.2), and some where it is
 * not. Strings are taken longer than they may be.
 */
export function decodePdu(frame: Buffer): Pdu | Malformed {
  const id = frame.readUInt32BE(4);
  const status = frame.readUInt32BE(8);
  const sequence = frame.readUInt32BE(12);
  const command = commands.get(id);
  const malformed = (reason: Malformed["reason"]): Malformed => ({
    command: "malformed",
    id,
    status,
    sequence,
    reason,
  });
  if (command === undefined) return malformed("unknown command");
  const isAnswer = id >= 0x8000_0000;
  const fields: Record<string, number | string | Buffer> = {};
  let at = headerBytes;
  for (const [name, field] of fieldsOf[command]) {
    if (isAnswer && at >= frame.length) {
      fields[name] = "";
      continue;
    }
    const read = readField(frame, at, field);
    if (read === undefined) return malformed("wrong length");
    fields[name] = read.value;
    at = read.end;
  }
  const tlvs = readTlvs(frame, at);
  if (tlvs === undefined) return malformed("wrong length");
  return { command, status, sequence, fields, tlvs } as unknown as Pdu;
}

function readField(
  frame: Buffer,
  at: number,
  field: Field,
): { readonly value: number | string | Buffer; readonly end: number } | undefined {
  switch (field.type) {
    case "int8":
      return at < frame.length ? { value: frame[at]!, end: at + 1 } : undefined;
    case "text": {
      const end = frame.indexOf(0, at);
      return end < 0 ? undefined : { value: frame.toString("latin1", at, end), end: end + 1 };
    }
    case "octets": {
      if (at >= frame.length) return undefined;
      const end = at + 1 + frame[at]!;
      return end > frame.length ? undefined : { value: frame.subarray(at + 1, end), end };
    }
    default:
      return field satisfies never;
  }
}

function readTlvs(frame: Buffer, begin: number): Tlvs | undefined {
  if (begin === frame.length) return none;
  const tlvs: [number, Buffer][] = [];
  let at = begin;
  while (at < frame.length) {
    if (at + 4 > frame.length) return undefined;
    const end = at + 4 + frame.readUInt16BE(at + 2);
    if (end > frame.length) return undefined;
    tlvs.push([frame.readUInt16BE(at), frame.subarray(at + 4, end)]);
    at = end;
  }
  return tlvs;
}
const none: Tlvs = [];
