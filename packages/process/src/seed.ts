import { deterministicId, streamOf, uuid5, type EventData } from "@heliograph/contracts";
import type { Directory } from "@heliograph/directory";
import { defaultPriceList } from "@heliograph/domain";
import type { Append, EventLog } from "@heliograph/log";
import type { Settings } from "@heliograph/runtime";

type Gateway = EventData<"GatewayConfigured">;

const ordinary = { enabled: true, weight: 100, max_concurrent: 256, timeout_ms: 10_000 } as const;

/** The gateways that the settings stand for. Credentials stay in the settings: the log holds only which of them is meant. */
export function gatewaysOfSettings(settings: Settings): readonly Gateway[] {
  const gateway = (
    environment: Gateway["environment"],
    name: string,
    rest: Pick<Gateway, "channel" | "kind" | "on_uncertain" | "settings"> & Partial<Gateway>,
  ): Gateway => ({
    gateway_id: deterministicId("gtw", environment, name),
    environment,
    name,
    ...ordinary,
    ...rest,
  });
  const channels = ["sms", "whatsapp", "email"] as const;
  return [
    ...channels.map((channel) =>
      gateway("sandbox", `sim-${channel}`, {
        channel,
        kind: "simulator",
        on_uncertain: "ask_provider",
        settings: {},
      }),
    ),
    ...settings.smtpUrls.map((_, index) =>
      gateway("live", `smtp-${index + 1}`, {
        channel: "email",
        kind: "smtp",
        on_uncertain: "at_most_once",
        settings: { smtp_url_index: index },
        weight: Math.max(1, 100 - index),
        max_concurrent: 16,
        timeout_ms: 30_000,
      }),
    ),
    ...channels
      .filter((channel) => settings.logGatewayChannels.includes(channel))
      .map((channel) =>
        gateway("live", `log-${channel}`, {
          channel,
          kind: "log",
          on_uncertain: "at_least_once",
          settings: {},
          weight: 1,
        }),
      ),
  ];
}

/** What was appended a moment ago is read again; when the log goes away in between, this outlasts the outage. */
export const bootCatchUpMs = 600_000;

/** Brings prices and gateways of the platform log in line with this release and these settings. Safe to run at every start, by several processes. */
export async function seedPlatform(
  log: EventLog,
  directory: Directory,
  settings: Settings,
): Promise<void> {
  const appends: Append[] = [];
  const prices = directory.prices();
  if (prices === undefined)
    appends.push({
      stream: streamOf("prices", `prl_${defaultPriceList.list}`),
      expected: "no_stream",
      events: [
        {
          id: uuid5("seed", "prices", defaultPriceList.list),
          type: "PriceListPublished",
          data: defaultPriceList,
          metadata: { actor: "seed" },
        },
      ],
    });
  const wanted = gatewaysOfSettings(settings);
  const known = new Map(
    (["live", "sandbox"] as const)
      .flatMap((environment) => directory.gateways(environment))
      .map((gateway) => [gateway.gateway_id, gateway]),
  );
  const gone = [...known.values()].filter(
    (gateway) =>
      gateway.enabled &&
      gateway.kind !== "simulator" &&
      !wanted.some((item) => item.gateway_id === gateway.gateway_id),
  );
  for (const gateway of [...wanted, ...gone.map((item) => ({ ...item, enabled: false }))]) {
    const before = known.get(gateway.gateway_id);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(gateway)) continue;
    const stream = streamOf("gateway", gateway.gateway_id);
    const last =
      before === undefined
        ? undefined
        : (await log.readStream(stream, { backwards: true, limit: 1 }))[0];
    const revision = last?.revision;
    appends.push({
      stream,
      expected: revision ?? "no_stream",
      events: [
        {
          id: uuid5("seed", gateway.gateway_id, String(revision ?? -1), JSON.stringify(gateway)),
          type: "GatewayConfigured",
          data: gateway,
          metadata: { actor: "seed" },
        },
      ],
    });
  }
  if (appends.length === 0) return;
  const outcomes = await log.append(appends);
  let position = 0n;
  for (const outcome of outcomes) {
    if (outcome.kind === "invalid") throw new Error(`seed: ${outcome.message}`);
    // A conflict is another process that seeds at the same moment.
    if (outcome.kind !== "conflict" && outcome.position > position) position = outcome.position;
  }
  await directory.caughtUp(position, bootCatchUpMs);
}
