import {
  currentVersion,
  deterministicId,
  streamOf,
  uuid7,
  type EventType,
  type EventData,
} from "@heliograph/contracts";
import type { World } from "@heliograph/testkit/world";

/** What inbound, contacts and conversations would write into the sandbox of a partner: the test is these here. */
export function peopleOf(world: World, partner: string) {
  const { log, vault } = world.platform.contexts.sandbox;
  const append = async (
    events: readonly { readonly stream: string; readonly type: EventType; readonly data: object }[],
  ): Promise<void> => {
    const outcomes = await log.append(
      events.map(({ stream, type, data }) => ({
        stream,
        expected: "any" as const,
        events: [{ id: uuid7(), type, version: currentVersion(type), data, metadata: { partner } }],
      })),
    );
    for (const outcome of outcomes)
      if (outcome.kind !== "appended") throw new Error(JSON.stringify(outcome));
  };
  const ids = (name: string) => ({
    conversation_id: deterministicId("cnv", partner, name),
    contact_id: deterministicId("cnt", partner, name),
  });
  const at = (): string => new Date().toISOString();
  const threadOf = (name: string): string => `thread-${vault.name("test", partner, name)}`;
  const onThread = <Type extends EventType>(name: string, type: Type, data: object) => ({
    stream: threadOf(name),
    type,
    data: { ...ids(name), ...data },
  });
  const by = { id: "service:test" };

  return {
    ids,
    append,
    onThread,
    /** A contact writes for the first time. */
    async open(name: string): Promise<void> {
      const { contact_id } = ids(name);
      const seal = await vault.seal({ partner, subject: contact_id });
      const address = { source: "sms", id: seal("+15550100000"), name: vault.name("id", name) };
      const contact: EventData<"ContactCreated"> = {
        contact_id,
        external_ids: [address],
        name: seal(`Contact ${name}`),
        profile: seal("{}"),
        made_by: "inbound",
        created_at: at(),
      };
      await append([
        { stream: streamOf("contact", contact_id), type: "ContactCreated", data: contact },
        onThread(name, "ConversationOpened", {
          number: 0,
          channel: "sms",
          inbox: "+15550109999",
          address,
          opened_at: at(),
        }),
      ]);
    },
    /** Inbound messages, all of one append. */
    async receive(name: string, texts: readonly string[]): Promise<readonly string[]> {
      const { contact_id } = ids(name);
      const seal = await vault.seal({ partner, subject: contact_id });
      const received = texts.map((text) => {
        const message_id = deterministicId("msg", partner, name, text);
        const data = {
          message_id,
          inbound_id: deterministicId("inb", message_id),
          channel: "sms",
          from: seal("+15550100000"),
          to: "+15550109999",
          text: seal(text),
          provider: { gateway: "sim-sms", name: "sim-sms", message_id },
          received_at: at(),
        };
        return onThread(name, "MessageReceived", data);
      });
      await append(received);
      return received.map(({ data }) => (data as unknown as { message_id: string }).message_id);
    },
    /** One with a file, by the id under which that is kept or will be; gives what tells of it. */
    async receiveFile(name: string, file: string) {
      const { contact_id } = ids(name);
      const seal = await vault.seal({ partner, subject: contact_id });
      const message_id = deterministicId("msg", partner, name, file);
      const inbound_id = deterministicId("inb", message_id);
      const about = { message_id, inbound_id, channel: "sms" };
      await append([
        onThread(name, "MessageReceived", {
          ...about,
          from: seal("+15550100000"),
          to: "+15550109999",
          media: [{ url: seal(`/api/v1/attachments/${file}`), attachment_id: file }],
          provider: { gateway: "sim-sms", name: "sim-sms", message_id },
          received_at: at(),
        }),
      ]);
      return { ...about, contact_id };
    },
    assign: (name: string, agent: { readonly id: string; readonly name: string }) =>
      append([
        onThread(name, "ConversationAssigned", {
          agent: { id: agent.id, name: agent.name },
          by,
          reason: "test",
          assigned_at: at(),
        }),
      ]),
    queue: (name: string, team: string) =>
      append([onThread(name, "ConversationQueued", { team, by, reason: "test", queued_at: at() })]),
    read: (name: string, upTo: string) =>
      append([onThread(name, "ConversationRead", { up_to: upTo, by, read_at: at() })]),
    team: (team_id: string, agent_ids: readonly string[], type: EventType = "TeamCreated") =>
      append([
        {
          stream: streamOf("team", team_id),
          type,
          data: {
            team_id,
            name: "Team",
            agent_ids,
            routing: "manual",
            working_hours: null,
            skills: [],
            languages: [],
            inboxes: [],
            first_response_seconds: null,
            resolution_seconds: null,
            [type === "TeamCreated" ? "created_at" : "changed_at"]: at(),
          },
        },
      ]),
  };
}
