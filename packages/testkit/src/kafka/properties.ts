/** The `server.properties` of a broker that is its own controller, on loopback, with `own` lines on top of or instead of the usual ones. */
export const properties = (
  port: number,
  controller: number,
  logDir: string,
  link: { readonly port: number; readonly advertised: number } | undefined,
  own: Readonly<Record<string, string>>,
): string => {
  const second = (at: number | undefined): string =>
    at === undefined ? "" : `,LINK://127.0.0.1:${at}`;
  const all: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}${second(link?.port)},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}${second(link?.advertised)},CONTROLLER://127.0.0.1:${controller}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LINK:PLAINTEXT",
    "log.dirs": logDir,
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",
    // A broker that was killed may register again once its old session is over.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    // A group is judged by members that restart within seconds.
    "group.min.session.timeout.ms": "1000",
    ...own,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
};
