import {
  type Answer,
  type Call,
  ListQuery,
  type Route,
  listBody,
  listOf,
  pageOf,
  route,
} from "@heliograph/api";
import { channels } from "@heliograph/contracts";
import { valueFaults } from "@heliograph/channels";
import { renderTemplate, templateAt, templateMissing, templateRefusal } from "@heliograph/domain";
import { z } from "zod";
import { type TemplateRow, listTemplates } from "../tables/templates.ts";
import {
  type Found,
  findTemplate,
  findVersion,
  templateView,
  versionOf,
  versionView,
} from "./find.ts";
import {
  AddVersion,
  ChangeTemplate,
  CreateTemplate,
  Preview,
  RenderedView,
  TemplateSummaryView,
  TemplateView,
  VersionView,
} from "./schema.ts";
import { addVersion, changeTemplate, createTemplate, deleteTemplate } from "./write.ts";

const ChannelQuery = z.strictObject({
  channel: z
    .enum(channels)
    .optional()
    .meta({ description: "Needed with a slug that several channels have." }),
});
type ChannelQuery = z.infer<typeof ChannelQuery>;
const TemplatesQuery = ListQuery.extend({ channel: z.enum(channels).optional() });

const find = (call: Call<unknown, ChannelQuery>): Promise<Found> =>
  findTemplate(call, call.params["id"]!, call.query.channel);

/** As it is shown. Throws `not_found`, also for what is no number. */
async function pathVersion(call: Call<unknown, ChannelQuery>): Promise<object> {
  const found = await find(call);
  const text = call.params["version"]!;
  const number = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  return versionView(found.created, await versionOf(call, found, number));
}

async function list(call: Call<undefined, z.infer<typeof TemplatesQuery>>): Promise<Answer> {
  const { channel } = call.query;
  const name = `templates ${channel ?? ""}`;
  const page = pageOf(call, name);
  // The list runs from new to old: what comes after a cursor lies before its position.
  const rows = await listTemplates(call.deps.projectionPool, {
    partner: call.account,
    limit: page.limit + 1,
    ...(channel !== undefined && { channel }),
    ...(page.before !== undefined && { after: page.before }),
    ...(page.after !== undefined && { before: page.after }),
  });
  const keyOf = (row: TemplateRow): string => row.position;
  return { status: 200, body: listBody(call, name, page, rows, keyOf, (row) => row.template) };
}

async function preview(call: Call<z.infer<typeof Preview>, ChannelQuery>): Promise<Answer> {
  const found = await find(call);
  const { language, variables = {}, version } = call.body;
  const { slug, channel } = found.created;
  const wanted = await findVersion(call, found, version ?? found.newest.version);
  if (wanted === undefined) throw templateMissing({ slug, channel, version }, "version");
  const rendered = renderTemplate(templateAt(found.created, wanted).version, language, variables);
  if (rendered.kind !== "rendered") throw templateRefusal(slug, rendered);
  const { kind: _, variables: values, ...body } = rendered;
  const errors = valueFaults(channel, values);
  if (errors.length > 0) throw templateRefusal(slug, { kind: "invalid", errors });
  return { status: 200, body };
}

const changeErrors = [
  "invalid_request",
  "malformed_json",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

export const templateRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/templates",
    scope: "templates:write",
    summary: "Create a template with its first version",
    mutates: true,
    status: 201,
    body: CreateTemplate,
    response: TemplateView,
    errors: changeErrors,
    handler: async (call) => {
      const found = await createTemplate(call);
      return { status: 201, body: templateView(found), position: found.last.position };
    },
  }),
  route({
    method: "GET",
    path: "/templates",
    scope: "templates:read",
    summary: "List templates, newest first",
    projection: "templates",
    query: TemplatesQuery,
    response: listOf(TemplateSummaryView, "TemplateList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/templates/:id",
    folded: true,
    scope: "templates:read",
    summary: "Get a template by id or slug, now or as of an earlier position or time",
    etag: true,
    asOf: true,
    query: ChannelQuery,
    response: TemplateView,
    errors: ["not_found", "conflict"],
    handler: async (call) => ({
      status: 200,
      body: templateView(await find(call)),
    }),
  }),
  route({
    method: "PATCH",
    path: "/templates/:id",
    scope: "templates:write",
    summary:
      "Change texts, variables, description or default language of a template: the newest version with the change is the next one",
    mutates: true,
    etag: true,
    body: ChangeTemplate,
    query: ChannelQuery,
    response: TemplateView,
    errors: ["not_found", ...changeErrors],
    handler: async (call) => {
      const { found, version, position } = await changeTemplate(call);
      return { status: 200, body: templateView({ ...found, newest: version }), position };
    },
  }),
  route({
    method: "DELETE",
    path: "/templates/:id",
    scope: "templates:write",
    summary: "Delete a template by id or slug; what was accepted with it keeps its text",
    mutates: true,
    etag: true,
    query: ChannelQuery,
    response: undefined,
    errors: ["not_found", ...changeErrors],
    handler: async (call) => ({ status: 204, position: await deleteTemplate(call) }),
  }),
  route({
    method: "POST",
    path: "/templates/:id/versions",
    scope: "templates:write",
    summary: "Add a version to a template",
    mutates: true,
    status: 201,
    body: AddVersion,
    query: ChannelQuery,
    response: VersionView,
    errors: ["not_found", ...changeErrors],
    handler: async (call) => {
      const { found, version, position } = await addVersion(call);
      return { status: 201, body: versionView(found.created, version), position };
    },
  }),
  route({
    method: "GET",
    path: "/templates/:id/versions/:version",
    folded: true,
    scope: "templates:read",
    summary: "Get one version of a template",
    etag: true,
    query: ChannelQuery,
    response: VersionView,
    errors: ["not_found", "conflict"],
    handler: async (call) => ({
      status: 200,
      body: await pathVersion(call),
    }),
  }),
  route({
    method: "POST",
    path: "/templates/:id/preview",
    scope: "templates:read",
    summary: "Render a template without sending anything",
    body: Preview,
    query: ChannelQuery,
    response: RenderedView,
    errors: ["not_found", "conflict", "template_not_found", "template_variables_invalid"],
    handler: preview,
  }),
];
