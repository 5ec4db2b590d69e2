import { setTimeout as pause } from "node:timers/promises";
import type { Api } from "./api.ts";
import type { Receiver } from "./receiver.ts";

const testDeadlineMs = 8_000;

export type OpenEndpoint = {
  /** One line that says why this instance sends no webhooks to this machine; undefined when it does. */
  readonly refusal: string | undefined;
  remove(): Promise<void>;
};

type Deliveries = {
  readonly data: readonly { id: string; attempts: readonly { error?: string }[] }[];
};

const refusalOf = (why: string): string =>
  `No webhooks: this instance does not send to 127.0.0.1 (${why}). Start it with HELIOGRAPH_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8 to see them; going on with the feed.`;

/** Creates an endpoint for the receiver and has it tested, so that an instance that may not send to this machine is known before it matters. */
export async function openEndpoint(
  api: Api,
  receiver: Receiver,
  received: () => boolean,
): Promise<OpenEndpoint> {
  const created = await api.call<{ id: string; secret: string; detail?: string }>(
    "POST",
    "/webhook-endpoints",
    { body: { url: receiver.url, description: "npm run demo" } },
  );
  const { id, secret, detail } = created.body;
  if (created.status !== 201)
    return { refusal: refusalOf(detail ?? `${created.status}`), remove: async () => undefined };
  receiver.trust(secret);
  const remove = async (): Promise<void> => {
    const path = `/webhook-endpoints/${id}`;
    await api.call("DELETE", path, { cleanup: true }).catch(() => undefined);
  };
  try {
    await api.need("POST", `/webhook-endpoints/${id}/test`, { body: {} });
    const deadline = performance.now() + testDeadlineMs;
    let why = `nothing arrived within ${testDeadlineMs / 1000} s`;
    while (!received() && performance.now() < deadline) {
      await pause(50);
      const { data } = await api.need<Deliveries>("GET", `/webhook-endpoints/${id}/deliveries`);
      const error = data.flatMap((delivery) => delivery.attempts).find((attempt) => attempt.error);
      if (error === undefined || received()) continue;
      why = error.error!;
      break;
    }
    if (received()) return { refusal: undefined, remove };
    await remove();
    return { refusal: refusalOf(why), remove: async () => undefined };
  } catch (error) {
    await remove();
    throw error;
  }
}
