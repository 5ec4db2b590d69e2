import { fileURLToPath } from "node:url";
import { deterministicId } from "@heliograph/contracts";
import type { GatewayConfig } from "@heliograph/gateways";
import { smtpSink, spawnService, type SmtpSink, type SpawnedService } from "@heliograph/testkit";
import { openWorld, simulator, type World } from "./harness.ts";

const entry = fileURLToPath(new URL("worker.ts", import.meta.url));

/** The gateway of a mail server. */
export const smtpGateway = (changes: Partial<GatewayConfig> = {}): GatewayConfig =>
  simulator("email", {
    environment: "live",
    kind: "smtp",
    name: "smtp-1",
    gateway_id: deterministicId("gtw", "smtp-1"),
    on_uncertain: "at_least_once",
    settings: { smtp_url_index: 0 },
    ...changes,
  });

export type Processes = {
  readonly sink: SmtpSink;
  readonly world: World;
  /** A process of dispatch for all shards or for some, such as "2,3". */
  start(options: {
    readonly gateways: readonly GatewayConfig[];
    readonly failpoint?: string;
    readonly shards?: string;
  }): SpawnedService;
  /** Ends them all, the world and the mail server. */
  close(): Promise<void>;
};

/** A live environment in PostgreSQL whose messages go to a mail server, and processes of dispatch for it. */
export async function openProcesses(gateways: readonly GatewayConfig[]): Promise<Processes> {
  const sink = await smtpSink();
  const smtpUrl = `smtp://127.0.0.1:${sink.port}/?from=shop@shop.example`;
  const world = await openWorld({
    driver: "postgres",
    environment: "live",
    gateways,
    smtpUrls: [smtpUrl],
    retryScale: 0.001,
  });
  const workers: SpawnedService[] = [];
  return {
    sink,
    world,
    start({ gateways: own, failpoint = "", shards }) {
      const worker = spawnService(entry, {
        HELIOGRAPH_DATABASE_URL: world.database.url,
        HELIOGRAPH_SMTP_URL: smtpUrl,
        HELIOGRAPH_RETRY_SCALE: "0.001",
        HELIOGRAPH_FAILPOINT: failpoint,
        TEST_GATEWAYS: JSON.stringify(own),
        ...(shards !== undefined && { TEST_SHARDS: shards }),
      });
      workers.push(worker);
      return worker;
    },
    async close() {
      for (const worker of workers) {
        worker.kill("SIGKILL");
        await worker.exited;
      }
      await world.close();
      await sink.close();
    },
  };
}
