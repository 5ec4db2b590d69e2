import { deterministicId, streamOf, uuid5, type EventData } from "@heliograph/contracts";
import type { Directory } from "@heliograph/directory";
import { defaultPriceList } from "@heliograph/domain";
import type { Append, EventLog } from "@heliograph/log";
import type { Settings } from "@heliograph/runtime";

type Gateway = EventData<"GatewayConfigured">;

/** Who writes what is seeded. */
const actor = "seed";
const ordinary = { enabled: true, weight: 100, max_concurrent: 256, timeout_ms: 10_000 } as const;

const channels = ["sms", "whatsapp", "email"] as const;

const declared = (
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

/** Every installation has them, so every process that seeds declares the same ones. */
const simulators = channels.map((channel) =>
  declared("sandbox", `sim-${channel}`, {
    channel,
    kind: "simulator",
    on_uncertain: "ask_provider",
    settings: {},
  }),
);

/** The live gateways that the settings stand for. Credentials stay in the settings: the log holds only which of them is meant. */
const liveGateways = (settings: Settings): readonly Gateway[] => [
  ...settings.smtpUrls.map((_, index) =>
    declared("live", `smtp-${index + 1}`, {
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
      declared("live", `log-${channel}`, {
        channel,
        kind: "log",
        on_uncertain: "at_least_once",
        settings: {},
        weight: 1,
      }),
    ),
];

/**
 * Live gateways have one owner each. Those of `HELIOGRAPH_SMTP_URL` and `HELIOGRAPH_LOG_GATEWAY_CHANNELS` are declared by the processes that run dispatch, because these make the
 * calls; whatever variables another process has, it declares none. A declaration only adds: that a variable is missing somewhere says nothing about the installation, so
 * nothing is ever disabled here. And it follows its own earlier declarations only: a gateway that a person or the API has configured belongs to them.
 */
const declaredBy = (settings: Settings): readonly Gateway[] =>
  settings.services.includes("dispatch") ? [...simulators, ...liveGateways(settings)] : simulators;

/** What was appended a moment ago is read again; when the log goes away in between, this outlasts the outage. */
export const bootCatchUpMs = 600_000;

/** Adds the prices of this release and the gateways that this process declares to the platform log. Safe to run at every start, by several processes. */
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
          metadata: { actor },
        },
      ],
    });
  for (const gateway of declaredBy(settings)) {
    const known = directory
      .gateways(gateway.environment)
      .find(({ gateway_id }) => gateway_id === gateway.gateway_id);
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(gateway)) continue;
    const stream = streamOf("gateway", gateway.gateway_id);
    const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
    if (last !== undefined && last.metadata.actor !== actor) continue;
    appends.push({
      stream,
      expected: last?.revision ?? "no_stream",
      events: [
        {
          id: uuid5("seed", gateway.gateway_id, `${last?.revision ?? -1}`, JSON.stringify(gateway)),
          type: "GatewayConfigured",
          data: gateway,
          metadata: { actor },
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
