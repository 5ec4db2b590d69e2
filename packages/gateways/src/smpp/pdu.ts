/** SMPP 3.4, the commands of chapter 4 that we use. Each is a list of fields in the order in which they are on the wire. */

/** A field of the mandatory part. Strings are C-octet strings of Latin-1: `most` counts the NUL that ends them. */
export type Field =
  | { readonly type: "int8" }
  | { readonly type: "text"; readonly most: number }
  /** An int8 with the length, then as many octets. */
  | { readonly type: "octets" };

const int8 = { type: "int8" } as const;
const octets = { type: "octets" } as const;
const text = (most: number) => ({ type: "text", most }) as const;

const bind = {
  system_id: text(16),
  password: text(9),
  system_type: text(13),
  interface_version: int8,
  addr_ton: int8,
  addr_npi: int8,
  address_range: text(41),
} as const;
const bound = { system_id: text(16) } as const;
const addresses = {
  service_type: text(6),
  source_addr_ton: int8,
  source_addr_npi: int8,
  source_addr: text(21),
  dest_addr_ton: int8,
  dest_addr_npi: int8,
  destination_addr: text(21),
} as const;
const message = {
  ...addresses,
  esm_class: int8,
  protocol_id: int8,
  priority_flag: int8,
  schedule_delivery_time: text(17),
  validity_period: text(17),
  registered_delivery: int8,
  replace_if_present_flag: int8,
  data_coding: int8,
  sm_default_msg_id: int8,
  short_message: octets,
} as const;
const answer = { message_id: text(65) } as const;
const nothing = {} as const;

export const layouts = {
  generic_nack: nothing,
  bind_receiver: bind,
  bind_receiver_resp: bound,
  bind_transmitter: bind,
  bind_transmitter_resp: bound,
  bind_transceiver: bind,
  bind_transceiver_resp: bound,
  unbind: nothing,
  unbind_resp: nothing,
  submit_sm: message,
  submit_sm_resp: answer,
  deliver_sm: message,
  deliver_sm_resp: answer,
  data_sm: {
    ...addresses,
    source_addr: text(65),
    destination_addr: text(65),
    esm_class: int8,
    registered_delivery: int8,
    data_coding: int8,
  },
  data_sm_resp: answer,
  enquire_link: nothing,
  enquire_link_resp: nothing,
} as const satisfies Record<string, Readonly<Record<string, Field>>>;

export type Command = keyof typeof layouts;

/** Section 5.1.2.1. */
export const commandIds: Readonly<Record<Command, number>> = {
  generic_nack: 0x8000_0000,
  bind_receiver: 0x0000_0001,
  bind_receiver_resp: 0x8000_0001,
  bind_transmitter: 0x0000_0002,
  bind_transmitter_resp: 0x8000_0002,
  submit_sm: 0x0000_0004,
  submit_sm_resp: 0x8000_0004,
  deliver_sm: 0x0000_0005,
  deliver_sm_resp: 0x8000_0005,
  unbind: 0x0000_0006,
  unbind_resp: 0x8000_0006,
  bind_transceiver: 0x0000_0009,
  bind_transceiver_resp: 0x8000_0009,
  enquire_link: 0x0000_0015,
  enquire_link_resp: 0x8000_0015,
  data_sm: 0x0000_0103,
  data_sm_resp: 0x8000_0103,
};

type Value<F extends Field> = F extends { readonly type: "int8" }
  ? number
  : F extends { readonly type: "text" }
    ? string
    : Buffer;
export type Fields<C extends Command> = {
  readonly [Name in keyof (typeof layouts)[C]]: (typeof layouts)[C][Name] extends Field
    ? Value<(typeof layouts)[C][Name]>
    : never;
};

/** Optional parameters by their tags, as they came: a tag may come twice. */
export type Tlvs = readonly (readonly [tag: number, value: Buffer])[];

type Header = { readonly status: number; readonly sequence: number };
export type PduOf<C extends Command> = Header & {
  readonly command: C;
  readonly fields: Fields<C>;
  readonly tlvs: Tlvs;
};
export type Pdu = { [C in Command]: PduOf<C> }[Command];

/** Section 5.3.2; the ones that are read or written here. */
export const tag = {
  receipted_message_id: 0x001e,
  source_port: 0x020a,
  user_message_reference: 0x0204,
  sar_msg_ref_num: 0x020c,
  sar_total_segments: 0x020e,
  sar_segment_seqnum: 0x020f,
  message_payload: 0x0424,
  message_state: 0x0427,
  network_error_code: 0x0423,
} as const;

export const tlvOf = (tlvs: Tlvs, wanted: number): Buffer | undefined =>
  tlvs.find(([one]) => one === wanted)?.[1];

/** Section 5.1.3. */
export const status = {
  ok: 0x00,
  invalidCommandLength: 0x02,
  invalidCommandId: 0x03,
  alreadyBound: 0x05,
  systemError: 0x08,
  bindFailed: 0x0d,
  invalidPassword: 0x0e,
  invalidSystemId: 0x0f,
  queueFull: 0x14,
  throttled: 0x58,
  temporaryReceiverError: 0x64,
} as const;
