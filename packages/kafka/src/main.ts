// `node packages/kafka/src/main.ts [--apply | --check]`: the topics of an installation, from where there are no scripts, as in an image. Exit code 1 when they differ and
// `--check` is given, 2 when the cluster is away or a setting is wrong.
import { parseArgs } from "node:util";
import { newLogger, readSettings } from "@heliograph/runtime";
import { runTopics } from "./topics-command.ts";

try {
  const { values } = parseArgs({
    options: { apply: { type: "boolean" }, check: { type: "boolean" } },
  });
  const { kafka, logLevel } = readSettings();
  if (kafka === undefined) throw new Error("HELIOGRAPH_KAFKA_BROKERS is not set");
  const mode = values.check ? "check" : values.apply ? "apply" : "create";
  const good = await runTopics(kafka, mode, newLogger(logLevel), (line) =>
    process.stdout.write(`${line}\n`),
  );
  if (!good && mode === "check") process.exitCode = 1;
} catch (error) {
  process.stderr.write(`topics: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
