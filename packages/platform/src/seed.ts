import {
  currentVersion,
  deterministicId,
  streamOf,
  uuid5,
  type EventData,
} from "@heliograph/contracts";
import type { Directory } from "./directory/directory.ts";
import { defaultPriceList } from "@heliograph/domain";
import type { Append, EventLog } from "@heliograph/log";
import {
  declaredGateways,
  GatewayRefused,
  isSameConfig,
  configured,
  type Secrets,
} from "@heliograph/gateways";
import { SettingsError, type Settings } from "@heliograph/runtime";

type Gateway = EventData<"GatewayConfigured">;

/** Who writes what is seeded. */
const actor = "seed";
const ordinary = { enabled: true, weight: 100, max_concurrent: 256, timeout_ms: 10_000 } as const;

type Declared = {
  readonly config: Omit<Gateway, "secrets">;
  readonly secrets: Secrets;
  /** Where it stands in the settings. */
  readonly variable: string | undefined;
};

/**
 * Live gateways have one owner each. Those of `HELIOGRAPH_SMTP_URL` and `HELIOGRAPH_LOG_GATEWAY_CHANNELS` are declared by the processes that run dispatch, because these make the
 * calls; whatever variables another process has, it declares none. Those of the sandbox every process that seeds declares alike. A declaration only adds: that a variable is missing
 * somewhere says nothing about the installation, so nothing is ever disabled here. And it follows its own earlier declarations only: a gateway that a person or the API has
 * configured belongs to them.
 */
const declaredBy = (settings: Settings): readonly Declared[] =>
  declaredGateways(settings)
    .filter(
      ({ environment }) => environment === "sandbox" || settings.services.includes("dispatch"),
    )
    .map(
      ({
        environment,
        name,
        channel,
        kind,
        on_uncertain,
        settings: own,
        secrets = {},
        variable,
        ...rest
      }) => ({
        config: {
          gateway_id: deterministicId("gtw", environment, name),
          environment,
          name,
          ...ordinary,
          channel,
          kind,
          on_uncertain,
          settings: own,
          ...rest,
        },
        secrets,
        variable,
      }),
    );

/** Throws SettingsError for a variable that no gateway can be made of. */
function sealed({ config, secrets, variable }: Declared, masterKey: Buffer): Gateway {
  try {
    return configured(config, secrets, masterKey);
  } catch (error) {
    if (error instanceof GatewayRefused && variable !== undefined)
      throw new SettingsError(`${variable}: ${error.message}`);
    throw error;
  }
}

/** What was appended a moment ago is read again; when the log goes away in between, this outlasts the outage. */
export const bootCatchUpMs = 600_000;

/** Adds the prices of this release and the gateways that this process declares to the platform log. Safe to run at every start, by several processes. */
export async function seedPlatform(
  log: EventLog,
  directory: Directory,
  settings: Settings,
  masterKey: Buffer,
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
  for (const declared of declaredBy(settings)) {
    const { config, secrets } = declared;
    const known = directory
      .gateways(config.environment)
      .find(({ gateway_id }) => gateway_id === config.gateway_id);
    if (known !== undefined && isSameConfig(known, config, secrets, masterKey)) continue;
    const gateway = sealed(declared, masterKey);
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
          version: currentVersion("GatewayConfigured"),
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
