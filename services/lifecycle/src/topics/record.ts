import { accountOf } from "@heliograph/contracts";
import { lifecycleSubject, type LifecycleEvent } from "@heliograph/domain";
import { partnerTopic, publicSubjects, publicTopic, type PublicSubject } from "@heliograph/kafka";
import { hideTokens } from "@heliograph/vault";

/** A lifecycle event as a record of a topic. */
export type TopicRecord = {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  /** When the event was recorded, epoch ms: what the topic's retention counts from. */
  readonly timestamp: string;
};

/**
 * The records of an event, by CloudEvents 1.0 in the binary mode of its Kafka binding: attributes are headers, the value is the event's `data` alone. One
 * for the public topic of its kind, one more for a partner who has topics of its own; none for a kind without a topic, which has its place in the sequence all the same.
 * What is sealed stays so: nobody can take back a record, so it says `[sealed]` where a person's text stands.
 */
export function topicRecords(
  event: LifecycleEvent,
  sequence: number,
  ownTopics: ReadonlySet<string>,
): readonly TopicRecord[] {
  const kind = event.type.slice(0, event.type.indexOf("."));
  if (!isPublic(kind)) return [];
  const { environment } = event;
  const partner = accountOf(event.partner);
  const subject = lifecycleSubject(event);
  const record: Omit<TopicRecord, "topic"> = {
    key: subject,
    value: hideTokens(JSON.stringify(event.data)),
    headers: {
      ce_specversion: "1.0",
      ce_id: event.id,
      ce_type: event.type,
      ce_source: `/heliograph/${environment}`,
      ce_subject: subject,
      ce_time: event.timestamp,
      ce_sequence: String(sequence),
      ce_partner: partner,
      "content-type": "application/json",
    },
    timestamp: String(Date.parse(event.timestamp)),
  };
  const topics = [publicTopic(environment, kind)];
  if (ownTopics.has(partner)) topics.push(partnerTopic(environment, partner, kind));
  return topics.map((topic) => ({ topic, ...record }));
}

const isPublic = (kind: string): kind is PublicSubject =>
  (publicSubjects as readonly string[]).includes(kind);
