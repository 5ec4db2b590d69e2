import { existsSync } from "node:fs";
import { freePort } from "@heliograph/testkit";
import { type Ends, isOpen, run, untilUp } from "./programs.ts";

/** As Debian installs it; the program beside it in the path is a wrapper that changes the user. */
const program = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/** That there is no RabbitMQ to run, by the words that are printed; undefined where there is. */
export const rabbitIsMissing = (): string | undefined =>
  existsSync(program) ? undefined : `${program} is not there`;

/** A RabbitMQ on loopback, with a name service of its own, so that nothing is left and no other node is met. */
export async function startRabbit(ends: Ends, folder: string) {
  const [port, names, between] = [await freePort(), await freePort(), await freePort()];
  const env = {
    PATH: process.env["PATH"]!,
    HOME: folder,
    ERL_EPMD_PORT: String(names),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: "bench@localhost",
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(between),
    RABBITMQ_MNESIA_BASE: `${folder}/rabbit`,
    RABBITMQ_LOG_BASE: `${folder}/rabbit-log`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/plugins`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
  };
  run(ends, "epmd", [], env);
  const child = run(ends, program, [], env);
  await untilUp("RabbitMQ", child, () => isOpen(port));
  return { port, pid: child.pid! };
}
