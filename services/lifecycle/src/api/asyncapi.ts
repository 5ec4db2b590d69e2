import { eventPublicId, environments, uuid5 } from "@heliograph/contracts";
import {
  lifecycleData,
  lifecycleSubject,
  lifecycleTypes,
  sampleLifecycle,
  type LifecycleType,
} from "@heliograph/domain";
import { z } from "zod";
import { nameOf } from "./openapi-webhooks.ts";

/** What a topic is keyed by. A type's first part names its topic; a type whose first part is none of these is in no topic. */
const subjects = {
  message: "The message's id, `msg_…`.",
  conversation: "The conversation's id, `cnv_…`.",
  contact: "The contact's id, `cnt_…`.",
  wallet: "The id of the partner whose wallet it is, `ptn_…`.",
} as const;
type Subject = keyof typeof subjects;

const retentionMs = 30 * 86_400_000;

/** The CloudEvents attributes, as the headers of a record: text, every one of them. */
const headers = {
  type: "object",
  required: [
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_sequence",
    "ce_partner",
    "content-type",
  ],
  properties: {
    ce_specversion: { type: "string", const: "1.0" },
    ce_id: {
      type: "string",
      pattern: "^evt_[0-9A-HJKMNP-TV-Z]{26}$",
      description: "The event's id, the same in every repetition: skip what you have had.",
    },
    ce_type: { type: "string", description: "Such as `message.sent`." },
    ce_source: { type: "string", enum: environments.map((name) => `/heliograph/${name}`) },
    ce_subject: { type: "string", description: "The record's key." },
    ce_time: { type: "string", format: "date-time" },
    ce_sequence: {
      type: "string",
      pattern: "^[1-9][0-9]*$",
      description:
        "The event's number among those of its partner and environment, as in `GET /events`: without a hole over all types, so a topic alone shows some of them.",
    },
    ce_partner: { type: "string", pattern: "^ptn_[0-9A-HJKMNP-TV-Z]{26}$" },
    "content-type": { type: "string", const: "application/json" },
  },
};

const types = Object.keys(lifecycleTypes) as LifecycleType[];
const subjectOf = (type: LifecycleType): string => type.slice(0, type.indexOf("."));
const typesOf = (subject: Subject): readonly LifecycleType[] =>
  types.filter((type) => subjectOf(type) === subject);

function payload(type: LifecycleType): object {
  const { $schema: _, ...schema } = z.toJSONSchema(lifecycleData[type], { target: "draft-7" });
  return { title: nameOf(type), ...schema };
}

function message(type: LifecycleType, keyDescription: string): object {
  const made = sampleLifecycle(
    type,
    { id: uuid5("sample", type), partner: "ptn_00000000000000000000000000", recordedAt: 0 },
    "live",
  );
  const { test: _, ...data } = made.data;
  return {
    name: type,
    title: nameOf(type),
    summary: lifecycleTypes[type],
    contentType: "application/json",
    headers: {
      type: "object",
      allOf: [
        { $ref: "#/components/schemas/CloudEventHeaders" },
        { type: "object", properties: { ce_type: { type: "string", const: type } } },
      ],
    },
    payload: { $ref: `#/components/schemas/${nameOf(type)}` },
    bindings: {
      kafka: {
        key: { type: "string", description: keyDescription },
        bindingVersion: "0.5.0",
      },
    },
    examples: [
      {
        headers: {
          ce_specversion: "1.0",
          ce_id: eventPublicId(uuid5("sample", type)),
          ce_type: type,
          ce_source: "/heliograph/live",
          ce_subject: lifecycleSubject(made),
          ce_time: made.timestamp,
          ce_sequence: "1042",
          ce_partner: made.partner,
          "content-type": "application/json",
        },
        payload: data,
      },
    ],
  };
}

function channel(subject: Subject, ofPartner: boolean): object {
  return {
    address: ofPartner
      ? `heliograph.{environment}.partner.{partner}.${subject}`
      : `heliograph.{environment}.${subject}`,
    description: ofPartner
      ? "One partner's events alone, for partners whom the operator gave topics of their own."
      : "The events of all partners.",
    parameters: {
      environment: { enum: environments, description: "Which of the two environments." },
      ...(ofPartner && { partner: { description: "The partner's id, `ptn_…`." } }),
    },
    messages: Object.fromEntries(
      typesOf(subject).map((type) => [type, { $ref: `#/components/messages/${type}` }]),
    ),
    bindings: {
      kafka: {
        topicConfiguration: { "cleanup.policy": ["delete"], "retention.ms": retentionMs },
        bindingVersion: "0.5.0",
      },
    },
  };
}

/** The AsyncAPI 3 document of the public topics, made from the schemas that also describe the webhooks; `schemas/asyncapi.json` is its checked-in copy. */
export function buildAsyncapi(): object {
  const names = Object.keys(subjects) as Subject[];
  const published = names.flatMap((subject) => typesOf(subject).map((type) => ({ subject, type })));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Heliograph topics",
      version: "1",
      description:
        "Lifecycle events as CloudEvents 1.0 in the binary mode of the Kafka binding. At least once; in order per key. Fields may be added to a payload; none is renamed or removed. Texts of persons read `[sealed]`: no erasure reaches a record, so ask the API for them by id.",
    },
    defaultContentType: "application/json",
    servers: {
      kafka: {
        host: "{brokers}",
        protocol: "kafka",
        description: "The brokers that the operator names.",
        variables: { brokers: { default: "localhost:9092" } },
      },
    },
    channels: Object.fromEntries(
      names.flatMap((subject) => [
        [subject, channel(subject, false)],
        [`partner.${subject}`, channel(subject, true)],
      ]),
    ),
    operations: Object.fromEntries(
      names
        .filter((subject) => typesOf(subject).length > 0)
        .flatMap((subject) => [subject, `partner.${subject}`])
        .map((name) => [
          `publish.${name}`,
          { action: "send", channel: { $ref: `#/channels/${name}` } },
        ]),
    ),
    components: {
      messages: Object.fromEntries(
        published.map(({ subject, type }) => [type, message(type, subjects[subject])]),
      ),
      schemas: {
        CloudEventHeaders: headers,
        ...Object.fromEntries(published.map(({ type }) => [nameOf(type), payload(type)])),
      },
    },
  };
}

let made: object | undefined;
export function asyncapiDocument(): object {
  made ??= buildAsyncapi();
  return made;
}
