import {
  errorCatalogue,
  errorNotes,
  eventDefinitions,
  eventSchema,
  scopes,
} from "@heliograph/contracts";
import { asyncapiDocument, openapiDocument, services } from "../../services/ingress/src/index.ts";
import { changesOf, ownFiles, type Changes } from "../../services/site/src/index.ts";
import { roleScopes } from "@heliograph/platform";
import { settingNotes } from "@heliograph/runtime";
import { answerTypes, type Schemas } from "./answer-types.ts";
import { clientSurface, clientTable, clientTypes } from "./client-types.ts";
import { pythonSurface, pythonTypes } from "./client-python.ts";
import { operationsOf, type ClientDocument } from "./operations.ts";
import { postmanCollection } from "./postman.ts";
import {
  adminApiPage,
  apiPage,
  errorsPage,
  eventsPage,
  peopleEventsPage,
  scopesPage,
  type OpenApi,
} from "./pages.ts";
import { settingsPage } from "./settings-page.ts";

/** Folders in which every file is generated: one that nothing makes is left over from a definition that is gone. */
export const ownedFolders = ["schemas/events", "packages/client/src/made"] as const;

const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Every generated file by its path from the root, with the content that the source asks for. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const openapi = openapiDocument();
  const document = openapi as unknown as ClientDocument;
  const operations = operationsOf(document);
  const files = new Map([
    ...eventDefinitions.map(
      (definition) =>
        [
          `schemas/events/${definition.type}.v${definition.version}.json`,
          json(eventSchema(definition)),
        ] as const,
    ),
    ["schemas/openapi.json", json(openapi)],
    ["services/console/src/answers.ts", answerTypes(openapi as unknown as Schemas)],
    ["packages/client/src/made/types.ts", clientTypes(document)],
    ["packages/client/src/made/surface.ts", clientSurface(operations)],
    ["packages/client/src/made/table.ts", clientTable(operations)],
    ["clients/heliograph.postman_collection.json", json(postmanCollection(operations))],
    ["clients/python/heliograph/_types.py", pythonTypes(document)],
    ["clients/python/heliograph/_sync.py", pythonSurface(operations, { async: false })],
    ["clients/python/heliograph/_async.py", pythonSurface(operations, { async: true })],
    ["schemas/asyncapi.json", json(asyncapiDocument())],
    ["docs/reference/api.md", apiPage(openapi as OpenApi)],
    ["docs/reference/admin-api.md", adminApiPage(openapi as OpenApi)],
    ["docs/reference/scopes.md", scopesPage(scopes, roleScopes, openapi as OpenApi)],
    ["docs/reference/errors.md", errorsPage(errorCatalogue, errorNotes)],
    ["docs/reference/events.md", eventsPage(eventDefinitions)],
    ["docs/reference/people-events.md", peopleEventsPage(eventDefinitions)],
    [
      "docs/operating/settings.md",
      settingsPage(
        settingNotes,
        services.map(({ name }) => name),
      ),
    ],
  ]);
  return files.set(changesFile, siteChanges(files));
}

const changesFile = "services/site/src/changes.json";

/** The days on which the pages of the site last changed, of which the new ones change today. */
function siteChanges(made: ReadonlyMap<string, string>): string {
  const before = JSON.parse(ownFiles.read(changesFile)) as Changes;
  const files = { ...ownFiles, read: (file: string) => made.get(file) ?? ownFiles.read(file) };
  return changesOf(files, before, new Date().toISOString().slice(0, 10));
}
