import { randomUUID } from "node:crypto";
import type { GatewayConfig, GatewayTools } from "../types.ts";
import { smppType } from "./content-type.ts";
import { statusMeaning } from "./errors.ts";
import { Link } from "./link.ts";
import { status } from "./pdu.ts";
import {
  type BindCommand,
  BindRefused,
  openSession,
  type SessionEvents,
  type SessionOptions,
} from "./session.ts";
import type { SmppSecrets, SmppSettings } from "./settings.ts";
import { timing as usualTiming, type Timing } from "./timing.ts";

/** What a gateway is made of. */
export type SmppParts = {
  readonly config: GatewayConfig;
  readonly settings: SmppSettings;
  readonly secrets: SmppSecrets;
  readonly tools: GatewayTools;
  readonly timing?: Timing;
};

/** Ours is 3.4 (section 5.2.4). */
const interfaceVersion = 0x34;
const usualWindow = 10;

/** The binds of a gateway, none of them begun. */
export function openLinks(
  parts: SmppParts,
  events: { readonly room: () => void; readonly failed: () => void },
): readonly Link[] {
  const { settings, tools, config, timing = usualTiming } = parts;
  const commands: readonly BindCommand[] =
    settings.bind === "pair" ? ["bind_transmitter", "bind_receiver"] : ["bind_transceiver"];
  const delivered = storing(parts);
  return Array.from({ length: settings.binds ?? 1 }, () =>
    commands.map(
      (bind) =>
        new Link({
          ...events,
          transmits: bind !== "bind_receiver",
          window: settings.window ?? usualWindow,
          timing,
          delivered,
          open: (session, signal) => openSession(optionsOf(parts, bind), session, signal),
          tell: (fields, message) =>
            tools.logger.info({ gateway: config.name, bind, ...fields }, message),
        }),
    ),
  ).flat();
}

function optionsOf(
  { settings, secrets, timing = usualTiming }: SmppParts,
  bind: BindCommand,
): SessionOptions {
  const account = {
    system_id: settings.system_id,
    password: secrets.password,
    system_type: settings.system_type ?? "",
    interface_version: interfaceVersion,
    addr_ton: 0,
    addr_npi: 0,
    address_range: settings.address_range ?? "",
  };
  const { host, port, tls = false, enquire_link_seconds: idle } = settings;
  const own = idle === undefined ? timing : { ...timing, idleMs: idle * 1_000 };
  return { host, port, tls, bind, account, timing: own };
}

/** What a message centre delivers is its own until it is in our log. */
function storing({ config, settings, tools }: SmppParts): SessionEvents["delivered"] {
  const alphabet = settings.data_coding_default ?? "gsm";
  return async (body) => {
    if (tools.received === undefined) return status.temporaryReceiverError;
    const contentType = smppType(alphabet, randomUUID());
    await tools.received({ gateway: config, contentType, body });
    return status.ok;
  };
}

/** Binds once and says good-bye. Rejects with what the centre or the network said. */
export async function tryBind(parts: SmppParts, signal: AbortSignal): Promise<void> {
  const bind = parts.settings.bind === "pair" ? "bind_transmitter" : "bind_transceiver";
  const events = { delivered: storing(parts), room() {}, closed() {}, odd() {} };
  try {
    const session = await openSession(optionsOf(parts, bind), events, signal);
    await session.close();
  } catch (error) {
    if (!(error instanceof BindRefused)) throw error;
    throw new Error(`the bind was refused: ${statusMeaning(error.status).name}`, { cause: error });
  }
}
