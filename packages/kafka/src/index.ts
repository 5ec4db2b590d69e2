export { openKafkaFeed, type KafkaFeedOptions } from "./feed.ts";
export { relayConsumer } from "./relay.ts";
export { openPublisher, recordParts, type Publisher } from "./publisher.ts";
export { encodeRecord, placeOf } from "./record.ts";
export { refillTopic, type Refilled, type RefillOptions } from "./refill.ts";
export { kafkaClient } from "./client.ts";
export {
  alterTopics,
  compareTopics,
  ensureTopics,
  logTopic,
  partnerTopic,
  publicSubjects,
  publicTopic,
  wantedTopics,
  withAdmin,
  type Difference,
  type PublicSubject,
  type TopicSpec,
} from "./topics.ts";
export { runTopics, type TopicsMode } from "./topics-command.ts";
