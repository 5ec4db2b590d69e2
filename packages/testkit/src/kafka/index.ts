export { kafkaJars } from "./jars.ts";
export { startKafka, type KafkaBroker, type KafkaOptions } from "./broker.ts";
export { testKafka, type TestKafka } from "./shared.ts";
