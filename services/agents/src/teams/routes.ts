import {
  amongAll,
  type Answer,
  type Call,
  ListQuery,
  type Route,
  changeOnce,
  etagOf,
  listBody,
  listOf,
  notValid,
  pageOf,
  requireMatch,
  route,
} from "@heliograph/api";
import { PublicError, isId, streamOf } from "@heliograph/contracts";
import { ofType, type RecordedEvent } from "@heliograph/log";
import {
  evolveTeam,
  isSameTeam,
  newTeam,
  patchedTeam,
  teamTypes,
  type TeamState,
} from "./decide.ts";
import { CreateTeam, PatchTeam, TeamView } from "./schema.ts";
import { type TeamRow, listTeams, teamIds } from "./tables/teams.ts";
import { teamView } from "./view.ts";

/** Routing keeps every team of a partner in memory, and looks at all of them for a conversation. */
const maxTeams = 500;

const isTeamEvent = ofType(...teamTypes);
const evolve = (state: TeamState | undefined, event: RecordedEvent): TeamState | undefined =>
  isTeamEvent(event) ? evolveTeam(state, event) : state;

const teamNotFound = (): PublicError => new PublicError("not_found", "There is no such team.");

/** The caller's own team that is still there. Throws `not_found`. */
function ownTeam(call: Call<unknown, unknown>, state: TeamState | undefined): TeamState {
  if (state === undefined || state.deleted || state.partner !== call.account) throw teamNotFound();
  return state;
}

function teamIn(call: Call<unknown, unknown>): string {
  const id = call.params["id"]!;
  if (!isId("tea", id)) throw teamNotFound();
  return id;
}

/** Each event says all of a team: the first and the last tell it, however many there are. */
async function find(call: Call<unknown, unknown>): Promise<TeamState> {
  const stream = streamOf("team", teamIn(call));
  const [first] = await call.deps.log.readStream(stream, { limit: 1 });
  const [last] = await call.deps.log.readStream(stream, { backwards: true, limit: 1 });
  let state: TeamState | undefined;
  if (isTeamEvent(first)) state = evolveTeam(state, first);
  if (isTeamEvent(last)) state = evolveTeam(state, last);
  return ownTeam(call, state);
}

/** Refuses agents of another partner or environment by their place in the list. */
function requireAgents(call: Call<unknown, unknown>, ids: readonly string[] | undefined): void {
  const errors = (ids ?? []).flatMap((id, index) => {
    const agent = call.context.directory.agent(id);
    const own = agent?.partner_id === call.account && agent.environments.includes(call.env);
    return own
      ? []
      : [{ path: `agent_ids.${index}`, code: "not_found", message: "there is no such agent here" }];
  });
  if (errors.length > 0) throw notValid("body", errors);
}

const shown = (state: TeamState): Pick<Answer, "body" | "etag"> => ({
  body: teamView(state.team, state.createdAt, state.updatedAt),
  etag: etagOf(state.revision),
});

const teams = {
  name: "teams",
  schema: "teams",
  made: "TeamCreated",
  gone: "TeamDeleted",
  id: "team_id",
} as const;

async function create(call: Call<CreateTeam, unknown>): Promise<Answer> {
  requireAgents(call, call.body.agent_ids);
  const id = call.derivedId("tea");
  const data = { ...newTeam(id, call.body), created_at: new Date().toISOString() };
  const known = () => teamIds(call.deps.projectionPool, call.account);
  const { state, position } = await amongAll(call, teams, known, (others) => {
    if (others(id) >= maxTeams)
      throw new PublicError("conflict", `A partner has at most ${maxTeams} teams.`);
    return changeOnce<TeamState>(call, {
      stream: streamOf("team", id),
      name: "team",
      correlation: id,
      evolve,
      decide: () => ({ events: [{ type: "TeamCreated", data }] }),
    });
  });
  return { status: 201, ...shown(ownTeam(call, state)), position };
}

async function change(call: Call<PatchTeam, unknown>): Promise<Answer> {
  const id = teamIn(call);
  requireAgents(call, call.body.agent_ids);
  const { state, position } = await changeOnce<TeamState>(call, {
    stream: streamOf("team", id),
    name: `change ${id}`,
    correlation: id,
    evolve,
    decide(before) {
      const { team, revision } = ownTeam(call, before);
      requireMatch(call, etagOf(revision));
      const patched = patchedTeam(team, call.body);
      if ("missing" in patched)
        throw notValid("body", [
          { path: `working_hours.${patched.missing}`, code: "required", message: "is required" },
        ]);
      if (isSameTeam(team, patched.team)) return { events: [] };
      const data = { ...patched.team, changed_at: new Date().toISOString() };
      return { events: [{ type: "TeamChanged", data }] };
    },
  });
  return { status: 200, ...shown(ownTeam(call, state)), position };
}

async function remove(call: Call<undefined, unknown>): Promise<Answer> {
  const id = teamIn(call);
  const { position } = await changeOnce<TeamState>(call, {
    stream: streamOf("team", id),
    name: `delete ${id}`,
    correlation: id,
    evolve,
    decide(before) {
      requireMatch(call, etagOf(ownTeam(call, before).revision));
      const data = { team_id: id, deleted_at: new Date().toISOString() };
      return { events: [{ type: "TeamDeleted", data }] };
    },
  });
  return { status: 204, position };
}

async function list(call: Call<undefined, ListQuery>): Promise<Answer> {
  const page = pageOf(call, "teams");
  // The list runs from new to old: what comes after a cursor lies before its position.
  const rows = await listTeams(call.deps.projectionPool, {
    partner: call.account,
    limit: page.limit + 1,
    ...(page.before !== undefined && { after: page.before }),
    ...(page.after !== undefined && { before: page.after }),
  });
  const keyOf = (row: TeamRow): string => row.position;
  const show = (row: TeamRow): object => teamView(row.team, row.created_at, row.updated_at);
  return { status: 200, body: listBody(call, "teams", page, rows, keyOf, show) };
}

const changeErrors = [
  "not_found",
  "invalid_request",
  "malformed_json",
  "conflict",
  "log_unavailable",
] as const;

export const teamRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/teams",
    scope: "agents:write",
    summary: "Make a team",
    mutates: true,
    status: 201,
    etag: true,
    body: CreateTeam,
    response: TeamView,
    errors: changeErrors,
    handler: create,
  }),
  route({
    method: "GET",
    path: "/teams",
    scope: "agents:read",
    summary: "List teams, newest first",
    projection: "teams",
    query: ListQuery,
    response: listOf(TeamView, "TeamList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/teams/:id",
    folded: true,
    scope: "agents:read",
    summary: "Get a team, now or as of an earlier position or time",
    asOf: true,
    etag: true,
    response: TeamView,
    errors: ["not_found"],
    handler: async (call) => ({
      status: 200,
      ...shown(await find(call)),
    }),
  }),
  route({
    method: "PATCH",
    path: "/teams/:id",
    scope: "agents:write",
    summary: "Change a team: what is left out stays, null takes it away",
    mutates: true,
    etag: true,
    body: PatchTeam,
    response: TeamView,
    errors: changeErrors,
    handler: change,
  }),
  route({
    method: "DELETE",
    path: "/teams/:id",
    scope: "agents:write",
    summary: "Delete a team; its conversations keep their agents",
    mutates: true,
    etag: true,
    response: undefined,
    errors: changeErrors,
    handler: remove,
  }),
];
