import { compareTopics, kafkaClient, wantedTopics, withAdmin } from "@heliograph/kafka";
import { messageOf } from "@heliograph/runtime";
import { bounded, type Finding, type Place } from "./check.ts";

/** The brokers, and whether the topics are those of the settings. Kafka does not tell its version. */
export async function lookAtKafka({ settings, logger }: Place): Promise<Finding> {
  const { kafka } = settings;
  if (kafka === undefined) return { status: "skipped", summary: "no brokers are configured" };
  try {
    return await withAdmin(kafkaClient(kafka, "heliograph.doctor", logger), async (admin) => {
      const { brokers } = await admin.describeCluster();
      const { missing, differences } = await compareTopics(admin, wantedTopics(kafka));
      const details = [
        ...missing.map(({ topic }) => `${topic} is missing`),
        ...differences.map(
          ({ topic, name, wanted, present }) =>
            `${topic}: ${name} is ${present || "not set"}, wanted ${wanted}`,
        ),
      ];
      const few = brokers.length < kafka.replication;
      return {
        status: missing.length > 0 || few ? "failed" : details.length > 0 ? "warning" : "ok",
        summary: `${brokers.length} brokers answer, ${details.length === 0 ? "topics are as wanted" : `${details.length} topics are not as wanted: npm run kafka -- topics --check tells which`}`,
        details: bounded(details),
      };
    });
  } catch (error) {
    return { status: "failed", summary: `no broker answers: ${messageOf(error)}` };
  }
}
