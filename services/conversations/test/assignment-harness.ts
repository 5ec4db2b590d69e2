import { newId, streamOf, uuid7, type EventData, type EventType } from "@heliograph/contracts";
import type { EventLog, RecordedEvent } from "@heliograph/log";
import {
  prepareConsumer,
  type AgentRecord,
  type ReactorInstance,
  type ServiceContext,
  type WritePart,
} from "@heliograph/runtime";
import { agentCreated } from "@heliograph/testkit/people";
import { openWorld } from "@heliograph/testkit/world";
import { assignmentReactor } from "../src/assignment/reactor.ts";
import { readFacts } from "../src/assignment/store.ts";

type ConsumedType = (typeof assignmentReactor.types)[number];
type Agent = Pick<AgentRecord, "name" | "capacity" | "skills" | "languages" | "status" | "role">;

/** A sandbox with the tables of assignment on a log in memory, and agents as the test says they are. */
export async function openDesk() {
  const world = await openWorld({ driver: "memory" });
  const agents = new Map<string, AgentRecord>();
  const changed = new Set<() => void>();
  const sandbox = world.platform.contexts.sandbox;
  const context: ServiceContext = {
    ...sandbox,
    directory: {
      ...sandbox.directory,
      agent: (id) => agents.get(id),
      onChange(listener) {
        changed.add(listener);
        return () => changed.delete(listener);
      },
    },
  };
  await prepareConsumer(context.pool, assignmentReactor);
  const partner = newId("ptn");
  const actor = partnerOn(context.log, partner);
  return {
    ...actor,
    context,
    partner,
    /** An agent of the partner, as the directory has it. */
    agent(name: string, given: Partial<Agent> = {}): string {
      const id = newId("agt");
      setAgent(agents, partner, id, { name, ...given });
      return id;
    },
    change(id: string, given: Partial<Agent>): void {
      agents.set(id, { ...agents.get(id)!, ...given });
      for (const listener of changed) listener();
    },
    close: () => world.close(),
  };
}
export type TestDesk = Awaited<ReturnType<typeof openDesk>>;

const time = "2026-05-23T14:22:17.000Z";

function setAgent(
  agents: Map<string, AgentRecord>,
  partner: string,
  id: string,
  given: Partial<Agent>,
): void {
  agents.set(id, {
    ...agentCreated(partner, { agent_id: id, email: `${id}@example.com`, login: id }),
    updated_at: time,
    generation: 0,
    spared: undefined,
    taken: {},
    revision: 0,
    ...given,
  });
}

export type Thread = {
  readonly stream: string;
  readonly conversation: string;
  readonly contact: string;
};
type TeamData = EventData<"TeamCreated">;

/** What happens to conversations of one partner. */
export function partnerOn(log: EventLog, partner: string) {
  const append = async (stream: string, type: EventType, data: object): Promise<void> => {
    const event = { id: uuid7(), type, data, metadata: { partner, actor: "test" } };
    const [outcome] = await log.append([{ stream, expected: "any", events: [event] }]);
    if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
  };
  const on = (thread: Thread, type: EventType, data: object): Promise<void> =>
    append(thread.stream, type, {
      conversation_id: thread.conversation,
      contact_id: thread.contact,
      ...data,
    });
  const by = { id: newId("agt") };
  const inbound = (thread: Thread): Promise<void> =>
    on(thread, "MessageReceived", {
      message_id: newId("msg"),
      inbound_id: newId("inb"),
      channel: "sms",
      from: "+15551230001",
      to: "+15550109999",
      text: "hello",
      provider: { gateway: "sim-sms", name: "sim-sms", message_id: newId("msg") },
      received_at: time,
    });
  return {
    append,
    on,
    inbound,
    async team(given: Partial<TeamData> = {}): Promise<string> {
      const team_id = newId("tea");
      const data: TeamData = {
        team_id,
        name: "Support",
        agent_ids: [],
        routing: "least_busy",
        working_hours: null,
        skills: [],
        languages: [],
        inboxes: [],
        first_response_seconds: null,
        resolution_seconds: null,
        created_at: time,
        ...given,
      };
      await append(streamOf("team", team_id), "TeamCreated", data);
      return team_id;
    },
    async changeTeam(team_id: string, given: Partial<TeamData>): Promise<void> {
      const [first] = await log.readStream(streamOf("team", team_id), {
        backwards: true,
        limit: 1,
      });
      const {
        created_at: _,
        changed_at: __,
        ...before
      } = { created_at: "", changed_at: "", ...(first!.data as object) };
      await append(streamOf("team", team_id), "TeamChanged", {
        ...before,
        ...given,
        changed_at: time,
      });
    },
    presence: (agent: string, status: EventData<"AgentPresenceChanged">["status"]) =>
      append(streamOf("presence", agent), "AgentPresenceChanged", {
        agent_id: agent,
        status,
        reason: "test",
        changed_at: time,
      }),
    /** Somebody writes for the first time. */
    async open(
      given: {
        readonly inbox?: string;
        readonly contact?: string;
        readonly openedAt?: string;
      } = {},
    ): Promise<Thread> {
      const thread = {
        stream: streamOf("thread", newId("inb").slice(4)),
        conversation: newId("cnv"),
        contact: given.contact ?? newId("cnt"),
      };
      await on(thread, "ConversationOpened", {
        number: 0,
        channel: "sms",
        inbox: given.inbox ?? "+15550109999",
        address: { source: "sms", id: "+15551230001", name: "n" },
        opened_at: given.openedAt ?? new Date().toISOString(),
      });
      await inbound(thread);
      return thread;
    },
    reply: (thread: Thread, answers = true, actor = by) =>
      on(thread, "ConversationReplied", {
        message_id: newId("msg"),
        by: actor,
        answers,
        replied_at: time,
      }),
    note: (thread: Thread) =>
      on(thread, "ConversationNoted", { note_id: newId("not"), text: "x", by, noted_at: time }),
    closed: (thread: Thread) =>
      on(thread, "ConversationClosed", { by, reason: "done", closed_at: time }),
    reopened: (thread: Thread) =>
      on(thread, "ConversationReopened", { reason: "wrote again", reopened_at: time }),
    ask: (thread: Thread, team?: string) =>
      on(thread, "AssignmentRequested", { ...(team && { team }), by, requested_at: time }),
    unassigned: (thread: Thread, previous: string) =>
      on(thread, "ConversationUnassigned", {
        previous_agent: { id: previous, name: "Ada" },
        by,
        reason: "test",
        unassigned_at: time,
      }),
    assigned: (thread: Thread, agent: string, actor = by) =>
      on(thread, "ConversationAssigned", {
        agent: { id: agent, name: "Ada" },
        by: actor,
        reason: "test",
        assigned_at: time,
      }),
    /** Every event of a thread. */
    events: (thread: Thread): Promise<readonly RecordedEvent[]> => log.readStream(thread.stream),
    /** Who has a conversation, by its last event that says so, and why. */
    async holder(thread: Thread): Promise<{ agent: string | undefined; reason: string }> {
      const events = (await log.readStream(thread.stream)).filter(
        (
          event,
        ): event is Extract<
          RecordedEvent,
          { type: "ConversationAssigned" | "ConversationQueued" | "ConversationUnassigned" }
        > =>
          ["ConversationAssigned", "ConversationQueued", "ConversationUnassigned"].includes(
            event.type,
          ),
      );
      const last = events.at(-1);
      return {
        agent: last?.type === "ConversationAssigned" ? last.data.agent.id : undefined,
        reason: last?.data.reason ?? "",
      };
    },
  };
}

/** The reactor without the runtime: letting go of it is a crash. What it committed is in the tables. */
export async function startDesk(context: ServiceContext, from = 0n) {
  let committed = from;
  const failures: unknown[] = [];
  const instance: ReactorInstance<ConsumedType> = await assignmentReactor.start({
    context,
    schema: assignmentReactor.schema,
    epoch: 1,
    checkpoint: {
      dealt: () => undefined,
      get position() {
        return committed;
      },
      async commit(position: bigint, parts: readonly WritePart[] = []) {
        for (const { sql, values } of parts)
          await context.pool.query(sql.replaceAll("{schema}", assignmentReactor.schema), [
            ...values,
          ]);
        committed = position;
      },
    },
    logger: context.logger,
    signal: new AbortController().signal,
    stopping: new AbortController().signal,
    fail: (error) => void failures.push(error),
  });
  let read = from;
  return {
    instance,
    failures,
    get committed() {
      return committed;
    },
    facts: () => readFacts(context.pool, assignmentReactor.schema),
    /** Hands over everything there is, and what comes of it, in batches of `size`; `mix` reorders or repeats a batch's events. */
    async run(
      size = 500,
      mix: (
        events: readonly RecordedEvent<ConsumedType>[],
      ) => readonly RecordedEvent<ConsumedType>[] = (events) => events,
    ): Promise<void> {
      for (;;) {
        const head = await context.log.head();
        if (read >= head) break;
        const page = await context.log.readAll({
          after: read,
          limit: size,
          types: assignmentReactor.types,
        });
        await instance.handle({
          ...page,
          events: mix(page.events),
          caughtUp: page.position >= head,
        });
        read = page.position;
      }
      if (failures.length > 0) throw failures[0];
    },
    stop: () => instance.stop(1000),
  };
}
