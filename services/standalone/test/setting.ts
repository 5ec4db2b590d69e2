import {
  afterFile,
  apiClient,
  newDataDir,
  removeDataDir,
  startInstance,
  until,
  type ApiClient,
  type Instance,
} from "@heliograph/testkit";

export type Setting = {
  readonly instance: Instance;
  readonly dataDir: string;
  readonly sandbox: ApiClient;
  readonly live: ApiClient;
  readonly admin: ApiClient;
};

/** The product on a fresh data folder, stopped and removed when the file's tests are over. */
export async function openSetting(env: Readonly<Record<string, string>> = {}): Promise<Setting> {
  const dataDir = ownDataDir();
  const instance = await startInstance({
    dataDir,
    env: { HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8", ...env },
  });
  afterAllStop(instance);
  return { instance, dataDir, ...clientsOf(instance) };
}

export const clientsOf = (
  instance: Instance,
): { sandbox: ApiClient; live: ApiClient; admin: ApiClient } => ({
  sandbox: apiClient(instance.baseUrl, instance.sandboxKey),
  live: apiClient(instance.baseUrl, instance.liveKey),
  admin: apiClient(instance.baseUrl, instance.adminKey),
});

const folders: string[] = [];
const instances: Instance[] = [];

export function ownDataDir(): string {
  const dataDir = newDataDir();
  folders.push(dataDir);
  afterFile(removeAll);
  return dataDir;
}

export function afterAllStop(instance: Instance): void {
  instances.push(instance);
  afterFile(removeAll);
}

async function removeAll(): Promise<void> {
  await Promise.all(instances.splice(0).map((instance) => instance.stop()));
  await Promise.all(folders.splice(0).map(removeDataDir));
}

/** The message of the README's first page. */
export const example = {
  channel: "whatsapp",
  to: "+15551234567",
  template: "order_confirmation",
  language: "en",
  variables: { name: "Nayeem", order_id: "TR-204821", eta: "15 minutes" },
};

/** Sends and gives the message's id; throws with the answer when it is refused. */
export async function send(client: ApiClient, body: object): Promise<string> {
  const answer = await client.post("/messages", body);
  if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`);
  return answer.body.id as string;
}

/** Waits until the message has a status. */
export const reached = (client: ApiClient, id: string, status: string, timeoutMs = 15_000) =>
  until(
    async () => {
      const { body } = await client.get(`/messages/${id}`);
      if (body.status === status) return body;
      throw new Error(`it is ${body.status}`);
    },
    { timeoutMs, what: `${id} is ${status}` },
  );

/** Waits until the timeline has an event of this type, and gives the whole of it. */
export const timelineWith = (client: ApiClient, id: string, type: string) =>
  until(
    async () => {
      const { body } = await client.get(`/messages/${id}/timeline`);
      const events = body.data as TimelineEntry[];
      return events.some((event) => event.type === type) && events;
    },
    { timeoutMs: 15_000, what: `${type} in the timeline of ${id}` },
  );

export type TimelineEntry = {
  readonly position: string;
  readonly type: string;
  readonly reason?: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- its shape depends on the type
  readonly data: any;
};
