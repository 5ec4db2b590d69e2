export { kafkaJars } from "./jars.ts";
export { startKafkaCluster, type KafkaCluster } from "./cluster.ts";
export { startKafka, type KafkaBroker, type KafkaOptions } from "./broker.ts";
export { testKafka, whyNoOwnKafka, type TestKafka } from "./shared.ts";
