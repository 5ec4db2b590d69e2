import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { Pool } from "undici";

/**
 * The floor: one process that does for a message what the product does and nothing besides. It is accepted, held, intended, sent, captured, receipted and delivered, each durable before what
 * follows from it, and two signed webhooks are answered and on record; the same bodies, in one database, with read models and checkpoints. No keys, no limits, no validation, no chain, one
 * partner, one gateway. Each stage takes all that waits in one statement, and what nobody waits for waits for company.
 */
export type BareLife = {
  readonly databaseUrl: string;
  /** Where the webhooks go; without it a message ends when it is accepted. */
  readonly hook?: string;
  /** Texts of one message of the product, in which `id` stands for the message. */
  readonly id: string;
  readonly events: Readonly<
    Record<EventName, { readonly data: string; readonly metadata: string }>
  >;
  readonly webhooks: Readonly<Record<"sent" | "delivered", string>>;
  readonly answer: string;
};
type EventName =
  | "MessageRequested"
  | "FundsHeld"
  | "MessageSent"
  | "FundsCaptured"
  | "ReceiptReceived"
  | "MessageDelivered";

/** What nobody waits for: captures, rows of webhooks, read models. */
const lingerMs = 100;
/** Receipts that come so close to each other are recorded together. */
const receiptsMs = 50;
const mostAtOnce = 500;
/** Accepts wait while so many messages have not told of their sending: what comes faster than it is sent only queues. */
const mostOpen = 600;

const ddl = `
  create schema log;
  create table log.events (position bigint generated always as identity primary key, stream text not null, revision int not null, id uuid not null, type text not null,
    recorded_at bigint not null, data text not null, metadata text not null, unique (stream, revision));
  create table intents (id uuid primary key, calls text not null);
  create table messages (id text primary key, status text not null) with (fillfactor = 70);
  create table feed (sequence bigint generated always as identity primary key, body text not null);
  create table deliveries (id uuid primary key, message text not null, status text not null);
  create table checkpoints (name text primary key, position bigint not null) with (fillfactor = 50);
  insert into checkpoints values ('model', 0), ('deliveries', 0);`;

/** Takes what waits in one go, while one is under way the rest gathers. */
function stage<Item>(
  waitMs: number,
  take: (items: readonly Item[]) => Promise<unknown>,
): (item: Item) => void {
  let waiting: Item[] = [];
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0) {
      if (waitMs > 0 && waiting.length < mostAtOnce) await sleep(waitMs);
      const items = waiting.slice(0, mostAtOnce);
      waiting = waiting.slice(mostAtOnce);
      await take(items);
    }
    running = false;
  };
  return (item) => {
    waiting.push(item);
    if (!running) void run();
  };
}

type Stored = {
  readonly stream: string;
  readonly revision: number;
  readonly type: EventName;
  readonly message: string;
};

const of = (message: string, revision: number, type: EventName): Stored => ({
  stream: `${type === "ReceiptReceived" ? "receipts" : "message"}-${message}`,
  revision,
  type,
  message,
});

/** A text of the product's message, for another message. */
function textsOf(text: string, id: string): (message: string) => string {
  const parts = text.split(id);
  return (message) => parts.join(message);
}

/** The database: what is durable, and read models that a crash may lose with their checkpoint. */
async function openStore({ databaseUrl, events, id }: BareLife) {
  const durable = new pg.Pool({ connectionString: databaseUrl, max: 6 });
  const lazy = new pg.Pool({
    connectionString: databaseUrl,
    max: 2,
    options: "-c synchronous_commit=off",
  });
  await durable.query(ddl);
  const texts = new Map(
    Object.entries(events).map(([type, { data, metadata }]) => [
      type as EventName,
      { data: textsOf(data, id), metadata: textsOf(metadata, id) },
    ]),
  );
  const insert = `insert into log.events (stream, revision, id, type, recorded_at, data, metadata)
    select * from unnest($1::text[], $2::int[], $3::uuid[], $4::text[], $5::bigint[], string_to_array($6, E'\\n'), string_to_array($7, E'\\n'))`;
  const columns = (stored: readonly Stored[]): unknown[] => {
    const now = Date.now();
    return [
      stored.map(({ stream }) => stream),
      stored.map(({ revision }) => revision),
      stored.map(() => randomUUID()),
      stored.map(({ type }) => type),
      stored.map(() => now),
      stored.map(({ type, message }) => texts.get(type)!.data(message)).join("\n"),
      stored.map(({ type, message }) => texts.get(type)!.metadata(message)).join("\n"),
    ];
  };
  return {
    append: (stored: readonly Stored[]) =>
      durable.query({ name: "append", text: insert, values: columns(stored) }),
    /** In the same commit the intents of these calls go. */
    appendSent: (stored: readonly Stored[], intents: ReadonlySet<string>) =>
      durable.query({
        name: "sent",
        text: `with gone as (delete from intents where id = any($8::uuid[])) ${insert}`,
        values: [...columns(stored), [...intents]],
      }),
    intend: (intent: string, messages: readonly string[]) =>
      durable.query({
        name: "intend",
        text: "insert into intents values ($1, $2)",
        values: [intent, JSON.stringify(messages)],
      }),
    model: (rows: readonly ModelRow[]) => {
      const last = new Map(rows.map(({ message, status }) => [message, status]));
      return lazy.query({
        name: "model",
        text: `with moved as (update checkpoints set position = position + $4 where name = 'model'),
          fed as (insert into feed (body) select body from unnest(string_to_array($3, E'\\n')) as f(body) where body <> '')
          insert into messages select * from unnest($1::text[], $2::text[]) on conflict (id) do update set status = excluded.status`,
        values: [
          [...last.keys()],
          [...last.values()],
          rows.map(({ body }) => body).join("\n"),
          rows.length,
        ],
      });
    },
    deliveries: (messages: readonly string[]) =>
      durable.query({
        name: "deliveries",
        text: `with moved as (update checkpoints set position = position + $3 where name = 'deliveries')
          insert into deliveries select id, message, 'delivered' from unnest($1::uuid[], $2::text[]) as d(id, message)`,
        values: [messages.map(() => randomUUID()), messages, messages.length],
      }),
  };
}
type Store = Awaited<ReturnType<typeof openStore>>;
type ModelRow = { readonly message: string; readonly status: string; readonly body: string };

/** Signs a webhook, sends it, and puts it on record. */
function openWebhooks(
  hook: string,
  store: Store,
): (message: string, what: string, body: string) => Promise<void> {
  const { origin, pathname } = new URL(hook);
  const receiver = new Pool(origin, { connections: 32 });
  const key = randomBytes(32);
  const recorded = stage<string>(lingerMs, (messages) => store.deliveries(messages));
  return async (message, what, body) => {
    const id = `${message}.${what}`;
    const seconds = Math.floor(Date.now() / 1000);
    const signature = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
    const answer = await receiver.request({
      path: pathname,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": `v1,${signature}`,
      },
      body,
    });
    await answer.body.dump();
    recorded(message);
  };
}

/** A message after its acceptance; `open` messages have not told of their sending. */
function openLife(given: BareLife, hook: string, store: Store) {
  const deliver = openWebhooks(hook, store);
  const model = stage<ModelRow>(lingerMs, (rows) => store.model(rows));
  const bodies = {
    sent: textsOf(given.webhooks.sent, given.id),
    delivered: textsOf(given.webhooks.delivered, given.id),
  };
  const tell = (message: string, status: "sent" | "delivered"): Promise<void> => {
    const body = bodies[status](message);
    model({ message, status, body });
    return deliver(message, status, body);
  };
  let revision = 0;
  const book = (type: EventName, messages: readonly string[]): Stored[] =>
    messages.map((message) => ({ stream: "wallet-demo", revision: revision++, type, message }));

  const receipts = stage<string>(receiptsMs, async (messages) => {
    await store.append([
      ...messages.map((message) => of(message, 0, "ReceiptReceived")),
      ...messages.map((message) => of(message, 2, "MessageDelivered")),
    ]);
    for (const message of messages) void tell(message, "delivered");
  });
  const capture = stage<string>(lingerMs, (messages) =>
    store.append(book("FundsCaptured", messages)),
  );
  const sent = stage<readonly [message: string, intent: string]>(0, async (calls) => {
    const intents = new Set(calls.map(([, intent]) => intent));
    await store.appendSent(
      calls.map(([message]) => of(message, 1, "MessageSent")),
      intents,
    );
    for (const [message] of calls) {
      void tell(message, "sent").then(() => life.open--);
      capture(message);
      setTimeout(receipts, 50 + Math.random() * 100, message);
    }
  });
  const intend = stage<string>(0, async (messages) => {
    const intent = randomUUID();
    await store.intend(intent, messages);
    for (const message of messages) sent([message, intent]);
  });
  const hold = stage<string>(0, async (messages) => {
    await store.append(book("FundsHeld", messages));
    for (const message of messages) intend(message);
  });
  const life = {
    open: 0,
    begin(message: string) {
      life.open++;
      model({ message, status: "queued", body: "" });
      hold(message);
    },
  };
  return life;
}

async function start(given: BareLife): Promise<number> {
  const store = await openStore(given);
  const life = given.hook === undefined ? undefined : openLife(given, given.hook, store);
  const bodyOf = textsOf(given.answer, given.id);
  type Post = { readonly message: string; readonly answer: (body: string) => void };
  const accept = stage<Post>(0, async (posts) => {
    while (life !== undefined && life.open > mostOpen) await sleep(1);
    await store.append(posts.map(({ message }) => of(message, 0, "MessageRequested")));
    for (const { message, answer } of posts) {
      answer(bodyOf(message));
      life?.begin(message);
    }
  });
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      JSON.parse(text);
      const answer = (body: string): void => {
        const length = Buffer.byteLength(body);
        response.writeHead(202, { "content-type": "application/json", "content-length": length });
        response.end(body);
      };
      accept({ message: `msg_${randomBytes(13).toString("hex")}`, answer });
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

process.once("message", (given: BareLife) => {
  void start(given).then((port) => process.send?.({ port }));
});
