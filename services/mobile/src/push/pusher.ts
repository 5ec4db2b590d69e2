import { originOfLinks } from "@heliograph/api";
import { deterministicId, failpoint, accountOf } from "@heliograph/contracts";
import { carries } from "@heliograph/domain";
import {
  createGateway,
  reaching,
  type Attempt,
  type Gateway,
  type GatewayConfig,
  type SendResult,
} from "@heliograph/gateways";
import {
  createAlarm,
  messageOf,
  oneAtATime,
  type ReactorTools,
  type ServiceContext,
} from "@heliograph/runtime";
import { forgetDevices } from "../devices.ts";
import type { PushKind, Pushes, TakenPush } from "../tables/pushes.ts";

const takenAtOnce = 50;
/** Called at once: a slow provider holds back no more than these. */
const maxCalls = 10;
const callMs = 10_000;
/** A phone that cannot be told within ten minutes is told by its own next sync. */
const backOffMs = [1_000, 5_000, 30_000, 120_000] as const;
const purgeEveryMs = 3_600_000;

/** Words of the platform: what a person wrote goes to no push service. */
const texts: Readonly<Record<PushKind, { readonly subject: string; readonly text: string }>> = {
  assigned: { subject: "New conversation", text: "A conversation was assigned to you." },
  message: { subject: "New message", text: "There is a new message in your conversation." },
};

export type Pusher = {
  /** There is something to push. */
  ring(): void;
  close(): Promise<void>;
};

/** The environment's push gateways, each opened once for each of its configurations. */
function openGateways({ context, logger }: ReactorTools) {
  const { environment, directory, settings, masterKey } = context;
  const gateways = new Map<string, { readonly config: GatewayConfig; readonly gateway: Gateway }>();
  return {
    /** The first that is on, carries what the partner sends and knows the token. */
    async now(partner: string, to: string): Promise<Gateway | undefined> {
      const usable = directory
        .gateways(environment, "push")
        .filter((each) => each.enabled && carries(each, partner, ""))
        .map((config) => ({ config }));
      const [first] = reaching(usable, to);
      if (first === undefined) return undefined;
      const { config } = first;
      const open = gateways.get(config.gateway_id);
      if (open?.config === config) return open.gateway;
      const onReceipt = async (): Promise<void> => undefined;
      const origin = originOfLinks(settings);
      const tools = { logger, masterKey, declaring: settings, onReceipt, origin };
      const gateway = createGateway(environment, config, tools);
      // Known before anything is waited for: several pushes begin at once, and one session serves them.
      gateways.set(config.gateway_id, { config, gateway });
      await open?.gateway.close();
      return gateway;
    },
    async close(): Promise<void> {
      for (const { gateway } of gateways.values()) await gateway.close();
    },
  };
}

/** What becomes of a push whose call was answered. */
async function settle(
  { pool, vault }: ServiceContext,
  pushes: Pushes,
  taken: TakenPush,
  result: SendResult,
): Promise<void> {
  const { id, partner, device_id, agent_id, tries } = taken;
  switch (result.type) {
    case "accepted":
      return pushes.finish(id, "sent", null);
    case "uncertain":
      return pushes.finish(id, "uncertain", result.cause);
    case "rejected":
    case "unavailable": {
      const { code, permanent } = result.error;
      if (result.type === "rejected" && result.gone !== undefined)
        await forgetDevices({ pool, vault }, accountOf(partner), [device_id], {
          agentId: agent_id,
          ...(result.gone.since !== undefined && { registeredUntil: result.gone.since }),
        });
      const delayMs = backOffMs[tries - 1];
      if (permanent || delayMs === undefined) return pushes.finish(id, "failed", code);
      return pushes.again(id, delayMs, code);
    }
    default:
      return result satisfies never;
  }
}

/** Calls the environment's push gateways for what is due. */
export function openPusher(tools: ReactorTools, pushes: Pushes): Pusher {
  const { context, fail, logger } = tools;
  const { directory, vault } = context;
  const gateways = openGateways(tools);
  const turn = oneAtATime();
  const closing = new AbortController();
  let purgedAt = 0;
  const alarm = createAlarm(() => ring());

  async function push(taken: TakenPush): Promise<void> {
    const { id, partner, token, agent_id } = taken;
    const agent = directory.agent(agent_id);
    if (token === null || (agent !== undefined && agent.status !== "active"))
      return pushes.finish(id, "failed", "the device is the agent's no more");
    if (directory.isOver(context.environment, partner))
      return pushes.finish(id, "failed", "the sandbox was reset");
    if (taken.expired) return pushes.finish(id, "failed", "nobody could be told in time");
    const to = (await vault.open(accountOf(partner), token))(token);
    const gateway = await gateways.now(partner, to);
    if (gateway === undefined) return pushes.finish(id, "failed", "no push gateway");
    await failpoint("mobile.before_push");
    const result = await gateway.send(attemptOf(taken, to), AbortSignal.timeout(callMs));
    await failpoint("mobile.after_push");
    await settle(context, pushes, taken, result);
  }

  /** One that fails by itself stays `calling` no longer than this process runs: it may have been sent. */
  async function pushOne(taken: TakenPush): Promise<void> {
    try {
      await push(taken);
    } catch (error) {
      logger.warn({ push: taken.id, error: messageOf(error) }, "a push failed");
      await pushes.finish(taken.id, "uncertain", "failed");
    }
  }

  async function run(): Promise<void> {
    if (closing.signal.aborted) return;
    if (Date.now() - purgedAt > purgeEveryMs) {
      purgedAt = Date.now();
      await pushes.purge();
    }
    const taken = await pushes.take(takenAtOnce);
    for (let index = 0; index < taken.length; index += maxCalls)
      await Promise.all(taken.slice(index, index + maxCalls).map(pushOne));
    const next = taken.length === takenAtOnce ? Date.now() : await pushes.nextDue();
    if (next !== undefined && !closing.signal.aborted) alarm.at(next);
  }

  const ring = (): void => void turn(run).catch(fail);
  return {
    ring,
    async close() {
      closing.abort();
      alarm.cancel();
      await turn(async () => alarm.cancel());
      await gateways.close();
    },
  };
}

/** The same push has the same ids, so a provider that knows the attempt takes it once. */
function attemptOf(taken: TakenPush, to: string): Attempt {
  const { id, kind, partner, conversation_id, tries } = taken;
  return {
    attemptId: deterministicId("atp", id),
    messageId: deterministicId("msg", id),
    attempt: tries,
    channel: "push",
    to,
    content: texts[kind],
    data: { conversation_id, kind },
    partner,
  };
}
