/** SMPP 3.4 as a message centre reads and writes it, written apart from the platform's own codec so that the two do not share a mistake. */

export type Tlv = readonly [tag: number, value: Buffer];

/** A submit_sm as it came. */
export type WireSubmit = {
  readonly sequence: number;
  readonly source: { readonly ton: number; readonly npi: number; readonly address: string };
  readonly destination: { readonly ton: number; readonly npi: number; readonly address: string };
  readonly esmClass: number;
  readonly validity: string;
  readonly registered: number;
  readonly coding: number;
  readonly message: Buffer;
  readonly tlvs: ReadonlyMap<number, Buffer>;
};

class Reader {
  readonly #bytes: Buffer;
  #at = 16;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  byte(): number {
    return this.#bytes[this.#at++]!;
  }
  string(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.toString("latin1", this.#at, end);
    this.#at = end + 1;
    return text;
  }
  take(length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(this.#at, (this.#at += length)));
  }
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }
  address() {
    return { ton: this.byte(), npi: this.byte(), address: this.string() };
  }
  tlvs(): Map<number, Buffer> {
    const found = new Map<number, Buffer>();
    while (!this.done) {
      const head = this.take(4);
      found.set(head.readUInt16BE(0), this.take(head.readUInt16BE(2)));
    }
    return found;
  }
}

export function readSubmit(frame: Buffer): WireSubmit {
  const reader = new Reader(frame);
  reader.string(); // service_type
  const source = reader.address();
  const destination = reader.address();
  const esmClass = reader.byte();
  reader.take(2); // protocol_id, priority_flag
  reader.string(); // schedule_delivery_time
  const validity = reader.string();
  const registered = reader.byte();
  reader.byte(); // replace_if_present_flag
  const coding = reader.byte();
  reader.byte(); // sm_default_msg_id
  const message = reader.take(reader.byte());
  const sequence = frame.readUInt32BE(12);
  const tlvs = reader.tlvs();
  return { sequence, source, destination, esmClass, validity, registered, coding, message, tlvs };
}

export function readBind(frame: Buffer): { readonly systemId: string; readonly password: string } {
  const reader = new Reader(frame);
  return { systemId: reader.string(), password: reader.string() };
}

export const frameOf = (
  command: number,
  status: number,
  sequence: number,
  ...body: readonly Buffer[]
): Buffer => {
  const head = Buffer.alloc(16);
  const whole = Buffer.concat([head, ...body]);
  for (const [index, value] of [whole.length, command, status, sequence].entries())
    whole.writeUInt32BE(value >>> 0, index * 4);
  return whole;
};

export const string = (text: string): Buffer => Buffer.from(`${text}\0`, "latin1");

/** What the centre delivers: text from a person, or a receipt. */
export type Delivered = {
  readonly from: string;
  readonly to: string;
  readonly esmClass?: number;
  readonly coding?: number;
  readonly message?: Buffer;
  readonly tlvs?: readonly Tlv[];
};

export function deliverFrame(sequence: number, delivered: Delivered): Buffer {
  const { from, to, esmClass = 0, coding = 0, message = Buffer.alloc(0), tlvs = [] } = delivered;
  return frameOf(
    0x5,
    0,
    sequence,
    string(""),
    Buffer.from([1, 1]),
    string(from),
    Buffer.from([1, 1]),
    string(to),
    Buffer.from([esmClass, 0, 0]),
    string(""),
    string(""),
    Buffer.from([0, 0, coding, 0, message.length]),
    message,
    ...tlvs.map(([tag, value]) => {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(tag, 0);
      head.writeUInt16BE(value.length, 2);
      return Buffer.concat([head, value]);
    }),
  );
}
