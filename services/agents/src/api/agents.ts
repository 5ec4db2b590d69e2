import { isId, streamOf } from "@heliograph/contracts";
import { parseEmail } from "@heliograph/channels";
import {
  type Answer,
  type Call,
  changeOnce,
  etagOf,
  listBody,
  listed,
  ListQuery,
  listOf,
  pageOf,
  requireMatch,
  type Route,
  route,
  slicePage,
  untilInEffect,
} from "@heliograph/api";
import { evolveAgent, resetTotp } from "@heliograph/platform";
import { type AgentRecord, holding } from "@heliograph/runtime";
import { z } from "zod";
import { announceRest, announceShutOut } from "../announce.ts";
import { notAnAddress } from "../claim-login.ts";
import { createAgent } from "../create-agent.ts";
import {
  agentNotFound,
  callerOf,
  decideChange,
  decideDisable,
  isVisible,
  refusalOfInvitation,
  refusalOfReset,
  type Caller,
  type Profile,
} from "../decide-agent.ts";
import { invite } from "../invite.ts";
import { takeInvitationTry } from "../tries.ts";
import { AgentView, agentView, Name, NewPassword, Role } from "./agent-views.ts";

const Environments = z
  .array(z.enum(["live", "sandbox"]))
  .min(1)
  .max(2)
  .refine((list) => new Set(list).size === list.length, "names one twice");
/** Conversations that one person can have open; a team of bots is no agent. */
const Capacity = z.int().min(0).max(1_000);
const defaultCapacity = 10;
/** What a team can ask for. */
const Labels = z
  .array(z.string().trim().min(1).max(64))
  .max(50)
  .refine((list) => new Set(list).size === list.length, "names one twice");
const Languages = z.array(z.string().trim().min(2).max(35)).max(50);

const CreateAgent = z
  .strictObject({
    name: Name,
    email: z.string().max(320),
    role: Role,
    capacity: Capacity.optional().meta({ description: "Most open conversations; default 10." }),
    skills: Labels.optional(),
    languages: Languages.optional(),
    environments: Environments.optional().meta({
      description:
        "Where the agent may work. Default: that of the caller; a sandbox key can give sandbox only.",
    }),
    password: NewPassword.optional().meta({
      description: "Without one an invitation is sent, and the agent chooses.",
    }),
  })
  .meta({ id: "CreateAgent" });

const PatchAgent = z
  .strictObject({
    name: Name.optional(),
    role: Role.optional(),
    capacity: Capacity.nullable().optional(),
    skills: Labels.nullable().optional(),
    languages: Languages.nullable().optional(),
    environments: Environments.optional(),
  })
  .meta({ id: "PatchAgent", example: { name: "Ada Lovelace", capacity: 10, skills: ["billing"] } });

async function create(call: Call<z.infer<typeof CreateAgent>, unknown>): Promise<Answer> {
  const {
    email: written,
    password,
    capacity,
    skills,
    languages,
    environments,
    ...rest
  } = call.body;
  const email = parseEmail(written.trim());
  if (email === undefined) throw notAnAddress();
  const { agent, position } = await createAgent(call, {
    ...rest,
    email: email.address,
    password,
    capacity: capacity ?? defaultCapacity,
    skills: skills ?? [],
    languages: languages ?? [],
    environments: environments ?? [call.env],
  });
  return { status: 201, body: agentView(agent), etag: etagOf(agent.revision), position };
}

const AgentQuery = ListQuery.extend({
  status: listed(["invited", "active", "disabled"]).optional(),
  role: listed(["owner", "admin", "agent", "viewer"]).optional(),
});

function list(call: Call<undefined, z.infer<typeof AgentQuery>>): Answer {
  const page = pageOf(call, "agents");
  const { status, role } = call.query;
  const keyOf = (agent: AgentRecord): string => `${agent.created_at} ${agent.agent_id}`;
  const rows = call.context.directory
    .agentsOf(call.account)
    .filter(
      (agent) =>
        isVisible(agent, callerOf(call)) &&
        (status === undefined || status.includes(agent.status)) &&
        (role === undefined || role.includes(agent.role)),
    )
    .toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const shown = slicePage(rows, page, keyOf);
  return { status: 200, body: listBody(call, "agents", page, shown, keyOf, agentView) };
}

function read(call: Call): Answer {
  const agent = call.context.directory.agent(call.params["id"]!);
  if (!isVisible(agent, callerOf(call))) throw agentNotFound();
  return { status: 200, body: agentView(agent), etag: etagOf(agent.revision) };
}

/** Changes one agent, while nobody else changes who owns the partner. */
async function change(
  call: Call<unknown, unknown>,
  name: string,
  decide: (
    agent: AgentRecord | undefined,
    caller: Caller,
    others: readonly AgentRecord[],
    now: string,
  ) => ReturnType<typeof decideDisable>,
): Promise<{ readonly agent: AgentRecord; readonly position: bigint }> {
  const id = (call.params as Readonly<Record<string, string>>)["id"]!;
  if (!isId("agt", id)) throw agentNotFound();
  const { platformLog, platformPool, directory } = call.context;
  const caller = callerOf(call);
  return holding(platformPool, `owners ${caller.partner}`, async () => {
    await directory.caughtUp(await platformLog.head());
    const { state, position } = await changeOnce<AgentRecord>(call, {
      log: platformLog.forPartner(caller.partner),
      stream: streamOf("agent", id),
      name,
      correlation: id,
      evolve: evolveAgent,
      decide(agent) {
        if (isVisible(agent, caller)) requireMatch(call, etagOf(agent.revision));
        return decide(agent, caller, directory.agentsOf(caller.partner), new Date().toISOString());
      },
    });
    await untilInEffect(call as Call, position);
    return { agent: state!, position };
  });
}

async function patch(call: Call<z.infer<typeof PatchAgent>, unknown>): Promise<Answer> {
  const { capacity, skills, languages, ...rest } = call.body;
  const fields: Partial<Profile> = {
    ...(rest as Partial<Profile>),
    ...(capacity !== undefined && { capacity: capacity ?? defaultCapacity }),
    ...(skills !== undefined && { skills: skills ?? [] }),
    ...(languages !== undefined && { languages: languages ?? [] }),
  };
  const { agent, position } = await change(call, "change", (state, caller, others, now) =>
    decideChange(state, fields, caller, others, now),
  );
  await announceShutOut(call.context, [agent]);
  return { status: 200, body: agentView(agent), etag: etagOf(agent.revision), position };
}

async function disable(call: Call): Promise<Answer> {
  const { agent, position } = await change(call, "disable", decideDisable);
  await announceShutOut(call.context, [agent]);
  return { status: 200, body: agentView(agent), etag: etagOf(agent.revision), position };
}

/** Of somebody who has lost the app and the recovery codes. Whoever holds a session of theirs may be the one who has them. */
async function dropCodes(call: Call): Promise<Answer> {
  const { context, params, agent: actor } = call;
  const agent = context.directory.agent(params["id"]!);
  const refusal = refusalOfReset(agent, callerOf(call), actor?.agent_id);
  if (refusal !== undefined) throw refusal;
  await resetTotp(context.platformPool, agent!.agent_id, "the codes were reset");
  // Of an earlier try too, which ended before it told the log.
  await announceRest(context);
  return { status: 204 };
}

/** By whose address it is, it is another partner's: the answer is the same, and no mail goes out. */
async function inviteAgain(call: Call): Promise<Answer> {
  const { platformPool, directory } = call.context;
  const agent = directory.agent(call.params["id"]!);
  const refusal = refusalOfInvitation(agent, callerOf(call));
  if (refusal !== undefined) throw refusal;
  requireMatch(call, etagOf(agent!.revision));
  await takeInvitationTry(platformPool, agent!.agent_id);
  const holder = directory.agentOfLogin(agent!.login);
  await invite(call, agent!, holder?.agent_id === agent!.agent_id);
  return { status: 202, body: agentView(agent!), etag: etagOf(agent!.revision) };
}

const changeErrors = [
  "invalid_request",
  "malformed_json",
  "insufficient_scope",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

export const agentRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/agents",
    scope: "agents:write",
    summary: "Make an agent, or invite one",
    mutates: true,
    status: 201,
    etag: true,
    body: CreateAgent,
    response: AgentView,
    errors: [...changeErrors, "overloaded", "rate_limited"],
    handler: create,
  }),
  route({
    method: "GET",
    path: "/agents",
    scope: "agents:read",
    summary: "List the agents of this environment, oldest first",
    query: AgentQuery,
    response: listOf(AgentView, "AgentList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/agents/:id",
    scope: "agents:read",
    summary: "Read an agent",
    etag: true,
    response: AgentView,
    errors: ["not_found"],
    handler: read,
  }),
  route({
    method: "PATCH",
    path: "/agents/:id",
    scope: "agents:write",
    summary: "Change an agent",
    mutates: true,
    etag: true,
    body: PatchAgent,
    response: AgentView,
    errors: [...changeErrors, "not_found"],
    handler: patch,
  }),
  route({
    method: "POST",
    path: "/agents/:id/disable",
    scope: "agents:write",
    summary: "Shut an agent out, and give back what the agent had",
    mutates: true,
    evenSuspended: true,
    etag: true,
    response: AgentView,
    errors: [...changeErrors, "not_found", "overloaded"],
    handler: disable,
  }),
  route({
    method: "POST",
    path: "/agents/:id/invitation",
    scope: "agents:write",
    summary: "Send an agent's invitation again; earlier links end",
    mutates: true,
    status: 202,
    etag: true,
    response: AgentView,
    errors: [...changeErrors, "not_found", "rate_limited"],
    handler: inviteAgain,
  }),
  route({
    method: "DELETE",
    path: "/agents/:id/totp",
    scope: "agents:write",
    summary: "Turn an agent's codes off; every session of the agent ends",
    mutates: true,
    response: undefined,
    errors: ["insufficient_scope", "conflict", "not_found", "log_unavailable"],
    handler: dropCodes,
  }),
];
