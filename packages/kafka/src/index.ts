export { kafkaClient } from "./client.ts";
export {
  alterTopics,
  ensureTopics,
  logTopic,
  partnerTopic,
  publicSubjects,
  publicTopic,
  wantedTopics,
  type Difference,
  type PublicSubject,
  type TopicSpec,
} from "./topics.ts";
