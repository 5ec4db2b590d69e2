// `npm run kafka -- up|down|topics`: a real Apache Kafka on this machine for trials, and the topics of an installation.
import { Command, InvalidArgumentError, Option } from "commander";
import { runTopics, type TopicsMode } from "@heliograph/kafka";
import { newLogger, readSettings } from "@heliograph/runtime";
import { dataDirOf } from "../shared/instance.ts";
import { bringDown, bringUp, findBroker } from "./broker.ts";
import { allowClosedOutput } from "../shared/output.ts";

allowClosedOutput();

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const dataDir = dataDirOf(process.env);
const port = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new InvalidArgumentError("a port is a number from 1 to 65535");
  return value;
};

const program = new Command("kafka")
  .description("A Kafka broker for trials, and the topics of a Heliograph installation")
  .addHelpText(
    "after",
    "\nThe broker's data is below HELIOGRAPH_DATA_DIR (.heliograph). Topics are those of HELIOGRAPH_KAFKA_BROKERS, else of that broker.",
  );

program
  .command("up")
  .description("start the broker in the background, or find it running")
  .option(
    "--port <port>",
    "where it listens on 127.0.0.1 (that of last time, else 9092, else a free one)",
    port,
  )
  .action(async (options: { port?: number }) =>
    say(`HELIOGRAPH_KAFKA_BROKERS=${await bringUp(dataDir, options.port)}`),
  );

program
  .command("down")
  .description("stop the broker; its data stays")
  .option("--remove", "remove its data, too")
  .action(async (options: { remove?: true }) =>
    say(
      (await bringDown(dataDir, options.remove === true))
        ? "the broker has stopped"
        : `no broker runs on ${dataDir}`,
    ),
  );

program
  .command("topics")
  .description("create the topics that are missing, and say where the others differ")
  .addOption(
    new Option("--apply", "alter what can be altered in place: configuration, more partitions"),
  )
  .addOption(
    new Option(
      "--check",
      "change nothing; exit code 1 when a topic is missing or differs",
    ).conflicts("apply"),
  )
  .action(async (options: { apply?: true; check?: true }) => {
    const mode: TopicsMode = options.check ? "check" : options.apply ? "apply" : "create";
    const brokers = process.env["HELIOGRAPH_KAFKA_BROKERS"] || (await findBroker(dataDir))?.brokers;
    if (brokers === undefined)
      throw new Error(`set HELIOGRAPH_KAFKA_BROKERS, or start a broker on ${dataDir} with up`);
    const settings = readSettings({ ...process.env, HELIOGRAPH_KAFKA_BROKERS: brokers });
    const logger = newLogger(process.env["HELIOGRAPH_LOG_LEVEL"] ? settings.logLevel : "error");
    const good = await runTopics(settings.kafka!, mode, logger, say);
    if (!good && mode === "check") process.exitCode = 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`kafka: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
