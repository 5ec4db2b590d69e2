import { freePort } from "../free-port.ts";
import { newClusterId, startKafka, type KafkaBroker } from "./broker.ts";

/** They start beside each other, and none answers before a majority has found itself. */
const startMs = 180_000;

/** Several brokers that are one cluster; each of them may be killed, stopped and continued. */
export type KafkaCluster = {
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaBroker[];
  /** Ends them and removes their data. */
  remove(): Promise<void>;
};

/**
 * Starts a cluster of so many brokers, each a controller too: a majority of them decides who leads. What Kafka itself keeps is on all of them, of which one may be away. Takes some 400 MB
 * of memory a broker.
 *
 * @throws Error as `startKafka` does.
 */
export async function startKafkaCluster(size: number): Promise<KafkaCluster> {
  const ids = Array.from({ length: size }, (_, index) => index + 1);
  const ports = await distinctPorts(2 * size);
  const voters = ids.map((id) => `${id}@127.0.0.1:${ports[size + id - 1]}`).join();
  const clusterId = newClusterId();
  const inSync = String(Math.max(1, size - 1));
  const start = (id: number): Promise<KafkaBroker> => {
    const [port, controller] = [ports[id - 1]!, ports[size + id - 1]!];
    const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`;
    return startKafka({
      port,
      clusterId,
      startMs,
      properties: {
        "node.id": String(id),
        "controller.quorum.voters": voters,
        "controller.quorum.bootstrap.servers": "",
        listeners,
        "advertised.listeners": listeners,
        "offsets.topic.replication.factor": String(size),
        "transaction.state.log.replication.factor": String(size),
        "transaction.state.log.min.isr": inSync,
        // Three that share two cores with the product and its load hear of each other late: shorter terms would have them elect without an end.
        "broker.session.timeout.ms": "9000",
        "broker.heartbeat.interval.ms": "1000",
        "controller.quorum.election.timeout.ms": "5000",
        "controller.quorum.fetch.timeout.ms": "10000",
        "replica.lag.time.max.ms": "10000",
      },
    });
  };
  const started = await Promise.allSettled(ids.map(start));
  const nodes = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const remove = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.remove()));
  };
  const failed = started.find((each) => each.status === "rejected");
  if (failed !== undefined) {
    await remove();
    throw failed.reason;
  }
  return { brokers: nodes.flatMap((node) => node.brokers), nodes, remove };
}

async function distinctPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}
