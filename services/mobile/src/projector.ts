import { type EventData, type TypedEvent, accountOf } from "@heliograph/contracts";
import {
  agentOf,
  conversationTypes,
  createSequencer,
  evolveConversation,
  inboundMessage,
  noteMessage,
  replyStatusTypes,
  type ConversationMessage,
  type ConversationState,
  type Sequencer,
} from "@heliograph/domain";
import { ofType, type RecordedEvent } from "@heliograph/log";
import { projector, type WritePart } from "@heliograph/runtime";
import {
  openStore,
  writeChanges,
  writeConversations,
  writeMessages,
  writeSequences,
  writeTeams,
  type ChangeRow,
  type KnownConversation,
  type MessageRow,
  type TeamRow,
} from "./store.ts";
import { syncDdl } from "./tables/sync.ts";

/** Small batches wait this long for company; a phone notices nothing. */
const lingerMs = 20;
/** A contact that is renamed or merged is told in its newest conversations. */
const maxOfContact = 100;

const contactTypes = [
  "ContactUpdated",
  "ContactMerged",
  "ContactUnmerged",
  "ContactErased",
] as const;
const teamTypes = ["TeamCreated", "TeamChanged", "TeamDeleted"] as const;
/** What becomes of a file of a message. */
const fileTypes = ["ReceivedFileAwaited", "ReceivedFileKept", "ReceivedFileLost"] as const;
const types = [
  ...conversationTypes,
  ...replyStatusTypes,
  ...contactTypes,
  ...teamTypes,
  ...fileTypes,
  "SequenceRaised",
] as const;
type SyncEvent = RecordedEvent<(typeof types)[number]>;

const isOfConversation = ofType(...conversationTypes);
const isStatus = ofType(...replyStatusTypes);
const isOfContact = ofType(...contactTypes);
const isOfTeam = ofType(...teamTypes);
const isOfFile = ofType(...fileTypes);

type Store = ReturnType<typeof openStore>;

/** One batch: what is known when it begins, and what it comes to. Rows are written once, however many events change them. */
class Batch {
  readonly #sequencer: Sequencer;
  readonly #conversations: Map<string, KnownConversation>;
  readonly #members: Map<string, readonly string[]>;
  readonly #changed = new Set<string>();
  readonly #teams = new Map<string, TeamRow>();
  readonly #changes: ChangeRow[] = [];
  readonly #messages: MessageRow[] = [];
  readonly #counters = new Map<string, number>();
  /** In which conversations the messages are that files came with. */
  readonly #places: Map<string, string>;

  constructor(
    sequencer: Sequencer,
    conversations: readonly KnownConversation[],
    members: ReadonlyMap<string, readonly string[]>,
    places: ReadonlyMap<string, string>,
  ) {
    this.#places = new Map(places);
    this.#sequencer = sequencer;
    this.#conversations = new Map(conversations.map((known) => [known.state.id, known]));
    this.#members = new Map(members);
  }

  take(event: SyncEvent): void {
    if (isOfConversation(event)) this.#conversation(event);
    else if (isStatus(event)) this.#status(event);
    else if (isOfContact(event))
      for (const id of this.#openOf(event.data.contact_id)) this.#tell(id, null);
    else if (isOfTeam(event)) this.#team(event);
    else if (isOfFile(event)) this.#file(event.data.message_id);
    else if (event.type === "SequenceRaised") this.#beginAnew(event.data);
  }

  parts(): readonly WritePart[] {
    return [
      ...writeChanges(this.#changes),
      ...writeSequences(this.#counters),
      ...writeConversations([...this.#changed].map((id) => this.#conversations.get(id)!)),
      ...writeMessages(this.#messages),
      ...writeTeams([...this.#teams.values()]),
    ];
  }

  #conversation(event: Extract<SyncEvent, { readonly type: (typeof conversationTypes)[number] }>) {
    const id = event.data.conversation_id;
    const before = this.#conversations.get(id);
    const state = evolveConversation(before?.state, event);
    if (state === undefined) return;
    const partner = before?.partner ?? event.metadata.partner!;
    this.#conversations.set(id, { partner, state, sequence: before?.sequence ?? 0 });
    const body = messageOf(event, state);
    if (body !== undefined) {
      this.#messages.push({ partner, position: event.position, body });
      this.#places.set(body.id, id);
    }
    const isMoved =
      before !== undefined &&
      (before.state.assignee?.id !== state.assignee?.id || before.state.team !== state.team);
    // Those who saw it are told too: where they see it no more, that it is gone.
    if (isMoved) this.#tell(id, null, before.state);
    this.#tell(id, body?.id ?? null, state, before === undefined || isMoved);
  }

  #status({ data }: Extract<SyncEvent, { readonly type: (typeof replyStatusTypes)[number] }>) {
    const context = "message" in data ? data.message : undefined;
    if (context?.conversation_id !== undefined)
      this.#tell(context.conversation_id, data.message_id);
  }

  /** A message that is in no conversation yet is told of with all that is known of its files then. */
  #file(messageId: string): void {
    const id = this.#places.get(messageId);
    if (id !== undefined) this.#tell(id, messageId);
  }

  /** Whoever joins or leaves a team sees other conversations from now on, of any age: that is another view of everything. */
  #team({
    type,
    data,
    metadata,
  }: Extract<SyncEvent, { readonly type: (typeof teamTypes)[number] }>) {
    const before = this.#members.get(data.team_id) ?? [];
    const after = type === "TeamDeleted" ? [] : data.agent_ids;
    const partner = metadata.partner!;
    this.#members.set(data.team_id, after);
    this.#teams.set(data.team_id, {
      id: data.team_id,
      partner: accountOf(partner),
      agentIds: after,
    });
    const moved = [...before, ...after].filter(
      (agent) => before.includes(agent) !== after.includes(agent),
    );
    for (const agent_id of new Set(moved))
      this.#changes.push({
        partner,
        sequence: this.#count(partner),
        conversation_id: null,
        message_id: null,
        agent_id,
        team_id: null,
        gained: true,
      });
  }

  /** After a reset or a restore a phone holds what is there no more: whoever reads from below is told so first. */
  #beginAnew({ partner_id: partner, raised_by }: EventData<"SequenceRaised">) {
    const sequence = this.#count(partner, raised_by);
    const nobody = { conversation_id: null, message_id: null, agent_id: null, team_id: null };
    this.#changes.push({ partner, sequence, ...nobody, gained: true });
  }

  /** The newest of a contact's conversations that are not closed, as they are at this event: some may have been opened or closed in this very batch. */
  #openOf(contact: string): readonly string[] {
    return [...this.#conversations.values()]
      .filter(({ state }) => state.contact_id === contact && state.status !== "closed")
      .toSorted((left, right) => right.sequence - left.sequence)
      .slice(0, maxOfContact)
      .map(({ state }) => state.id);
  }

  #count(partner: string, by = 1): number {
    const sequence = this.#sequencer.raise(partner, by);
    this.#counters.set(partner, sequence);
    return sequence;
  }

  /** One change, seen by those who have the conversation in the given state. */
  #tell(
    id: string,
    messageId: string | null,
    seen = this.#conversations.get(id)?.state,
    gained = false,
  ): void {
    const known = this.#conversations.get(id);
    if (known === undefined || seen === undefined) return;
    const sequence = this.#count(known.partner);
    this.#changes.push({
      partner: known.partner,
      sequence,
      conversation_id: id,
      message_id: messageId,
      agent_id: seen.assignee?.id ?? null,
      team_id: seen.team,
      gained,
    });
    this.#conversations.set(id, { ...known, sequence });
    this.#changed.add(id);
  }
}

/** What an event adds to the messages of a conversation. What a reply says, and what became of it, its own stream tells. */
function messageOf(event: TypedEvent, state: ConversationState): ConversationMessage | undefined {
  switch (event.type) {
    case "MessageReceived":
      return inboundMessage(event.data);
    case "ConversationNoted":
      return noteMessage(event.data, state.channel);
    case "ConversationReplied": {
      const { message_id, conversation_id, by, replied_at } = event.data;
      return {
        id: message_id,
        conversation_id,
        direction: "outbound",
        channel: state.channel,
        text: null,
        media: [],
        status: "queued",
        ...agentOf(by),
        at: replied_at,
      };
    }
    default:
      return undefined;
  }
}

async function begin(
  store: Store,
  sequencer: Sequencer,
  events: readonly SyncEvent[],
): Promise<Batch> {
  const contacts = [...new Set(events.filter(isOfContact).map(({ data }) => data.contact_id))];
  const wanted = new Set<string>();
  for (const contact of contacts)
    for (const id of await store.openOf([contact], maxOfContact)) wanted.add(id);
  const partners = new Set<string>();
  const withFile = new Set(events.filter(isOfFile).map(({ data }) => data.message_id));
  const places =
    withFile.size === 0 ? new Map<string, string>() : await store.places([...withFile]);
  for (const id of places.values()) wanted.add(id);
  for (const event of events) {
    if (isOfConversation(event)) wanted.add(event.data.conversation_id);
    else if (isStatus(event) && "message" in event.data && event.data.message.conversation_id)
      wanted.add(event.data.message.conversation_id);
    const partner =
      event.type === "SequenceRaised" ? event.data.partner_id : (event.metadata.partner ?? "");
    if (!sequencer.knows(partner)) partners.add(partner);
  }
  const teams = events.filter(isOfTeam).map(({ data }) => data.team_id);
  const [conversations, counters, members] = await Promise.all([
    wanted.size === 0 ? [] : store.conversations([...wanted]),
    partners.size === 0 ? undefined : store.counters([...partners]),
    teams.length === 0 ? new Map<string, readonly string[]>() : store.members(teams),
  ]);
  for (const partner of partners) sequencer.seed(partner, counters?.get(partner) ?? 0);
  return new Batch(sequencer, conversations, members, places);
}

/** Whether an event can change anything: most statuses are of messages that are no replies. */
const matters = (event: SyncEvent): boolean =>
  !isStatus(event) || ("message" in event.data && event.data.message.conversation_id !== undefined);

/** Projects the log onto what phones are told. The runtime commits the rows with the checkpoint, so a reader never passes a change that is not there yet. */
export const syncProjector = projector({
  kind: "projector",
  name: "mobile",
  schema: "mobile",
  version: 3,
  types,
  spaces: {
    changes: "partner",
    sequences: "partner",
    conversations: "partner",
    messages: "partner",
  },
  concerns: matters,
  ddl: syncDdl,
  lingerMs,
  create({ pool, schema }) {
    const store = openStore(pool, schema);
    const sequencer = createSequencer();
    return {
      async project(events) {
        const batch = await begin(store, sequencer, events);
        for (const event of events) batch.take(event);
        return batch.parts();
      },
    };
  },
});
