import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { newLogger, readSettings, type KafkaSettings } from "@heliograph/runtime";
import {
  freePort,
  kafkaJars,
  startKafka,
  whyNoOwnKafka,
  type KafkaBroker,
} from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafkaClient } from "../src/index.ts";

const run = promisify(execFile);
const skip = await whyNoOwnKafka();
const folder = mkdtempSync(join(tmpdir(), "heliograph-kafka-tls-"));
const caFile = join(folder, "ca.pem");
const storePassword = "store-password";
let broker: KafkaBroker | undefined;
let tlsPort: number;

const words = (line: string): readonly string[] => line.split(" ");

/** A certificate for 127.0.0.1 that only its own file vouches for, as an operator's own authority would. */
async function makeCertificate(store: string): Promise<void> {
  const common = ["-keystore", store, "-storepass", storePassword, "-alias", "broker"];
  await run("keytool", [
    "-genkeypair",
    ...words("-keyalg EC -dname CN=broker -ext san=ip:127.0.0.1 -validity 2"),
    ...common,
  ]);
  await run("keytool", ["-exportcert", "-rfc", "-file", caFile, ...common]);
}

beforeAll(async () => {
  if (skip !== undefined) return;
  const store = join(folder, "broker.p12");
  await makeCertificate(store);
  const [plain, controller] = [await freePort(), await freePort()];
  tlsPort = await freePort();
  const listeners = `PLAINTEXT://127.0.0.1:${plain},SECURE://127.0.0.1:${tlsPort},CONTROLLER://127.0.0.1:${controller}`;
  const module = "org.apache.kafka.common.security";
  broker = await startKafka({
    port: plain,
    properties: {
      listeners,
      "advertised.listeners": listeners,
      "controller.quorum.bootstrap.servers": `127.0.0.1:${controller}`,
      "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL",
      "inter.broker.listener.name": "PLAINTEXT",
      "ssl.keystore.location": store,
      "ssl.keystore.password": storePassword,
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
      "listener.name.secure.plain.sasl.jaas.config": `${module}.plain.PlainLoginModule required user_heliograph="right";`,
      "listener.name.secure.scram-sha-256.sasl.jaas.config": `${module}.scram.ScramLoginModule required;`,
    },
  });
  await run("java", [
    ...words("-XX:TieredStopAtLevel=1 -cp"),
    join(await kafkaJars(), "*"),
    ...words("kafka.admin.ConfigCommand --alter --entity-type users --entity-name heliograph"),
    ...words("--add-config SCRAM-SHA-256=[password=right] --bootstrap-server"),
    ...broker.brokers,
  ]);
}, 180_000);
afterAll(async () => {
  await broker?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const settings = (env: Readonly<Record<string, string>>): KafkaSettings =>
  readSettings({
    HELIOGRAPH_KAFKA_BROKERS: `127.0.0.1:${tlsPort}`,
    HELIOGRAPH_KAFKA_USERNAME: "heliograph",
    HELIOGRAPH_KAFKA_PASSWORD: "right",
    HELIOGRAPH_KAFKA_SASL: "plain",
    ...env,
  }).kafka!;

/** The topics that a client with these settings sees, or why it sees none. */
async function topics(env: Readonly<Record<string, string>>): Promise<readonly string[] | string> {
  const admin = kafkaClient(settings(env), "test", newLogger("silent")).admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } catch (error) {
    return (error as Error).message;
  } finally {
    await admin.disconnect();
  }
}

test.skipIf(skip).each(["plain", "scram-sha-256"])(
  "a client proves itself by %s over TLS, with the authority of a file",
  async (mechanism) => {
    const env = { HELIOGRAPH_KAFKA_CA_FILE: caFile, HELIOGRAPH_KAFKA_SASL: mechanism };
    expect(await topics(env)).toEqual([]);
  },
);

test.skipIf(skip)("a wrong password is refused with its reason", async () => {
  const wrong = { HELIOGRAPH_KAFKA_CA_FILE: caFile, HELIOGRAPH_KAFKA_PASSWORD: "wrong" };
  expect(await topics(wrong)).toMatch(/Authentication failed/);
  expect(await topics({ ...wrong, HELIOGRAPH_KAFKA_SASL: "scram-sha-256" })).toMatch(
    /Authentication failed/,
  );
});

test.skipIf(skip)("a certificate that nobody known vouches for is refused", async () => {
  expect(await topics({ HELIOGRAPH_KAFKA_TLS: "on" })).toMatch(/self-signed certificate/);
});

test("an authority's file that is not there stops the start", () => {
  expect(() =>
    kafkaClient(
      settings({ HELIOGRAPH_KAFKA_CA_FILE: join(folder, "none.pem") }),
      "test",
      newLogger("silent"),
    ),
  ).toThrow("ENOENT");
});
