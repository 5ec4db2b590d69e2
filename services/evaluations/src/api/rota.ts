import type { EventData } from "@heliograph/contracts";
import {
  type Answer,
  type Call,
  changeOnce,
  etagOf,
  requireMatch,
  type Route,
  route,
} from "@heliograph/api";
import type { z } from "zod";
import { type Rota, rotaOf, rotaStream } from "../rota.ts";
import { contactOf, contactView } from "./contacts.ts";
import { RotaView, SetRota } from "./schema.ts";

const view = ({ contacts, set_at }: Pick<Rota, "contacts" | "set_at">): object => ({
  contacts: contacts.map(contactView),
  set_at: set_at ?? null,
});

async function get(call: Call): Promise<Answer> {
  const rota = await rotaOf(call.context.platformLog);
  return { status: 200, body: view(rota), etag: etagOf(rota.revision) };
}

type State = EventData<"EvaluationRotaSet"> & { readonly revision: number };

async function set(call: Call<z.infer<typeof SetRota>, unknown>): Promise<Answer> {
  const contacts = call.body.contacts.map((text, index) =>
    contactOf(call.context, text, `contacts.${index}`),
  );
  const data: EventData<"EvaluationRotaSet"> = { contacts, set_at: new Date().toISOString() };
  const changed = await changeOnce<State>(call, {
    log: call.context.platformLog,
    stream: rotaStream,
    name: "rota",
    correlation: rotaStream,
    evolve: (state, event) =>
      event.type === "EvaluationRotaSet" ? { ...event.data, revision: event.revision } : state,
    decide(state) {
      requireMatch(call as Call, etagOf(state?.revision ?? -1));
      return { events: [{ type: "EvaluationRotaSet", data }] };
    },
  });
  const { state, revision, position } = changed;
  return { status: 200, body: view(state!), etag: etagOf(revision), position };
}

export const rotaRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/evaluations/rota",
    scope: "admin",
    summary: "Who takes the next evaluations, in turn",
    etag: true,
    response: RotaView,
    errors: ["log_unavailable"],
    handler: get,
  }),
  route({
    method: "PUT",
    path: "/admin/evaluations/rota",
    scope: "admin",
    summary: "Say who takes the next evaluations, in turn, from the first; nobody when it is empty",
    mutates: true,
    etag: true,
    body: SetRota,
    response: RotaView,
    errors: ["invalid_request", "malformed_json", "conflict", "log_unavailable"],
    handler: set,
  }),
];
