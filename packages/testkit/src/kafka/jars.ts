import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const version = "4.1.0";
const downloadTimeoutMs = 300_000;

/** Where the jars are kept between runs and checkouts: 46 files, 43 MB. */
const cacheFolder = (): string =>
  join(
    process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
    "heliograph",
    `kafka-${version}`,
  );

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>heliograph</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

const complete = (folder: string): boolean =>
  existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("kafka_2.13-"));

/**
 * The folder with the jars of Apache Kafka and its Java client, fetched from Maven Central the first time.
 *
 * @throws Error that says what is missing: Java 17, Maven, or the network.
 */
export async function kafkaJars(): Promise<string> {
  const cache = cacheFolder();
  if (complete(cache)) return cache;
  for (const [program, argument] of [
    ["java", "-version"],
    ["mvn", "-v"],
  ] as const)
    await run(program, [argument], { timeout: 30_000 }).catch((error: Error) => {
      throw new Error(`${program} does not answer: ${error.message.split("\n")[0]}`);
    });
  // Several runs may fetch at once: each into a folder of its own, and the first to be complete wins.
  const own = `${cache}.${process.pid}`;
  mkdirSync(own, { recursive: true });
  try {
    writeFileSync(join(own, "pom.xml"), pom);
    await run(
      "mvn",
      [
        "-q",
        "-B",
        "-f",
        join(own, "pom.xml"),
        "dependency:copy-dependencies",
        `-DoutputDirectory=${join(own, "lib")}`,
      ],
      { timeout: downloadTimeoutMs },
    );
    try {
      renameSync(join(own, "lib"), cache);
    } catch (error) {
      if (!complete(cache)) throw error;
    }
    return cache;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
