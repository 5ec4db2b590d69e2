import { environments } from "@heliograph/contracts";
import { lifecycleData, lifecycleTypes, type LifecycleType } from "@heliograph/domain";
import { z } from "zod";
import type { ZodOpenApiPathItemObject } from "zod-openapi";

/** `message.sent` as a schema is named: `MessageSent`. */
export const nameOf = (type: LifecycleType): string =>
  type
    .split(/[._]/)
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join("");

const headers = z.object({
  "webhook-id": z.string().meta({ description: "The event's id, the same in every attempt." }),
  "webhook-timestamp": z.string().meta({ description: "Of the attempt, seconds since 1970." }),
  "webhook-signature": z
    .string()
    .meta({ description: "Standard Webhooks 1.0; `v1,…`, one for each secret that is valid." }),
});

/** OpenAPI's `webhooks`: what an endpoint receives, one for each type. */
export const webhookItems: Record<string, ZodOpenApiPathItemObject> = Object.fromEntries(
  (Object.keys(lifecycleTypes) as LifecycleType[]).map((type) => {
    const event = z
      .looseObject({
        id: z.string(),
        type: z.literal(type),
        timestamp: z.string().meta({ format: "date-time" }),
        environment: z.enum(environments),
        sequence: z.int().min(0),
        data: lifecycleData[type].meta({ id: nameOf(type) }),
      })
      .meta({ id: `${nameOf(type)}Event` });
    return [
      type,
      {
        post: {
          operationId: `receive${nameOf(type)}`,
          summary: lifecycleTypes[type],
          tags: ["webhooks"],
          security: [],
          requestParams: { header: headers },
          requestBody: { required: true, content: { "application/json": { schema: event } } },
          responses: { "2XX": { description: "Taken. Anything else is tried again." } },
        },
      },
    ];
  }),
);
