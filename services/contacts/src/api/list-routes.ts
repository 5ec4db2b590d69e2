import { type Route, listOf, route } from "@heliograph/api";
import { ExportQuery, exported } from "./export.ts";
import { ContactsQuery, listed } from "./list.ts";
import { ContactView } from "./schema.ts";

export const listRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/contacts",
    scope: "contacts:read",
    summary: "List and search contacts, newest first",
    projection: "contacts",
    query: ContactsQuery,
    response: listOf(ContactView, "ContactList"),
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
    status: 200,
    response: undefined,
    contentType: ["text/csv", "application/x-ndjson"],
    errors: ["invalid_request"],
    handler: exported,
  }),
];
