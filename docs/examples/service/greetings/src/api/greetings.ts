import {
  type Answer,
  type Call,
  type Route,
  appendOne,
  route,
  tooManyChanges,
} from "@heliograph/api";
import { streamOf } from "@heliograph/contracts";
import { z } from "zod";
import { readNames } from "../tables/names.ts";
import { readWord } from "../tables/words.ts";

const Greet = z.strictObject({ name: z.string().min(1).max(64) }).meta({ id: "Greet" });

async function greet(call: Call<z.infer<typeof Greet>, unknown>): Promise<Answer> {
  const { name } = call.body;
  const stored = await appendOne(call.deps.log, {
    stream: streamOf("greeting", call.partner.partner_id),
    expected: "any",
    events: [
      { id: call.eventId("greeted"), type: "Greeted", data: { name }, metadata: call.metadata() },
    ],
  });
  if (stored === undefined) throw tooManyChanges();
  const word = await readWord(call.deps.pool);
  return { status: 201, body: { greeting: `${word}, ${name}!` }, position: stored.position };
}

export const greetingRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/greetings",
    scope: "greetings:write",
    summary: "Greet somebody",
    mutates: true,
    status: 201,
    body: Greet,
    response: z.object({ greeting: z.string() }).meta({ id: "Greeting" }),
    errors: ["invalid_request", "conflict", "log_unavailable"],
    handler: greet,
  }),
  route({
    method: "GET",
    path: "/greetings",
    scope: "greetings:read",
    summary: "Who was greeted, and how often",
    projection: "greetings",
    response: z
      .object({ data: z.array(z.object({ name: z.string(), times: z.int() })) })
      .meta({ id: "GreetingList" }),
    errors: [],
    handler: async (call) => ({
      status: 200,
      body: { data: await readNames(call.deps.projectionPool, call.partner.partner_id) },
    }),
  }),
];
