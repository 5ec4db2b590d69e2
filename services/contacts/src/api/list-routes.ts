import { type Route, listOf, route } from "@heliograph/api";
import { z } from "zod";
import { ExportQuery, exported } from "./export.ts";
import { ContactsQuery, listed } from "./list.ts";

const ListedContact = z
  .object({
    id: z.string(),
    external_ids: z.array(z.object({ source: z.string(), id: z.string(), added_at: z.string() })),
    name: z.string().nullable(),
    language: z.string().nullable(),
    time_zone: z.string().nullable(),
    attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    tags: z.array(z.string()),
    client_ref: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: "ListedContact" });

export const listRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/contacts",
    scope: "contacts:read",
    summary: "List and search contacts, newest first",
    projection: "contacts",
    query: ContactsQuery,
    response: listOf(ListedContact, "ContactList"),
    errors: ["invalid_request"],
    handler: listed,
  }),
  route({
    method: "GET",
    path: "/contacts/export",
    scope: "contacts:read",
    summary: "Get all contacts as a file that an import takes",
    projection: "contacts",
    query: ExportQuery,
    response: undefined,
    contentType: ["text/csv", "application/x-ndjson"],
    errors: ["invalid_request"],
    handler: exported,
  }),
];
