import { type SinkBehaviour, type SinkRequest, webhookSink } from "../webhook-sink.ts";

/** What the Bot API can do to us. */
export type TelegramWeather =
  | { type: "accept" }
  | {
      type: "refuse";
      status: number;
      description: string;
      parameters?: { retry_after?: number; migrate_to_chat_id?: number };
    }
  /** Takes the message and never answers. */
  | { type: "hang" }
  /** Takes the message and cuts the connection. */
  | { type: "reset" }
  /** Takes the message, and answers with this. */
  | { type: "answer"; status: number; body: string };

export type TelegramMessage = {
  readonly id: number;
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
};
export type TelegramDouble = Awaited<ReturnType<typeof telegramDouble>>;

const upgraded = "Bad Request: group chat was upgraded to a supergroup chat";

/** The Bot API on 127.0.0.1: it keeps what it takes, misbehaves on demand, and knows what it posts of people. */
export async function telegramDouble({
  botToken = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
  secretToken = "telegram-secret",
}: { botToken?: string; secretToken?: string } = {}) {
  const messages: TelegramMessage[] = [];
  /** Chats that have moved, and where to: who writes to the old one is told. */
  const moved = new Map<number, number>();
  /** Chats that somebody wrote to after they had moved. */
  const missed: number[] = [];
  /** What `getFile` gives out, by the ids of files; undefined: more than it gives to bots. */
  const files = new Map<string, string | undefined>();
  let weather: TelegramWeather = { type: "accept" };
  let updates = 1_000;

  function answer({ path, body }: SinkRequest): SinkBehaviour {
    if (path.startsWith(`/file/bot${botToken}/documents/`))
      return { type: "answer", status: 200, body: files.get(path.split("/").at(-1)!) ?? "" };
    const [, token, method = "", file = ""] =
      /^\/bot([^/]*)\/(\w+)(?:\?file_id=(\w+))?$/.exec(path) ?? [];
    if (token !== botToken) return refusal(401, "Unauthorized");
    if (method === "getMe")
      return json(200, { ok: true, result: { id: 110201543, is_bot: true, username: "shop_bot" } });
    if (method === "getFile") return addressOf(files, file);
    if (!method.startsWith("send")) return refusal(404, "Not Found");
    return take(method, JSON.parse(body) as TelegramMessage["parameters"]);
  }
  function take(method: string, parameters: TelegramMessage["parameters"]): SinkBehaviour {
    if (weather.type === "refuse")
      return refusal(weather.status, weather.description, weather.parameters);
    const chat = parameters["chat_id"] as number | string;
    const to = typeof chat === "number" ? moved.get(chat) : undefined;
    if (to !== undefined) missed.push(chat as number);
    if (to !== undefined) return refusal(400, upgraded, { migrate_to_chat_id: to });
    const id = messages.length + 1;
    messages.push({ id, method, parameters });
    if (weather.type !== "accept") return weather;
    // A public channel is written to by its name, and answers with its number.
    const where =
      typeof chat === "number"
        ? { id: chat, type: "private" }
        : { id: -1_001_000_000_001, type: "channel", username: chat.slice(1) };
    const message = { message_id: id, date: 1_700_000_000, chat: where };
    return json(200, { ok: true, result: method === "sendMediaGroup" ? [message] : message });
  }

  const sink = await webhookSink();
  sink.behave(answer);
  return {
    url: sink.url,
    botToken,
    secretToken,
    messages: messages as readonly TelegramMessage[],
    moved,
    missed: missed as readonly number[],
    files,
    behave: (next: TelegramWeather): void => void (weather = next),
    /** A request of Telegram's about an update; each has an id of its own. */
    update: (url: string, content: object) => ({
      method: "POST" as const,
      url,
      headers: {
        "content-type": "application/json",
        "x-telegram-bot-api-secret-token": secretToken,
      },
      body: Buffer.from(JSON.stringify({ update_id: ++updates, ...content })),
    }),
    close: () => sink.close(),
  };
}

/** What `getFile` says of a file. */
function addressOf(files: ReadonlyMap<string, string | undefined>, id: string): SinkBehaviour {
  if (!files.has(id)) return refusal(400, "Bad Request: invalid file_id");
  return files.get(id) === undefined
    ? refusal(400, "Bad Request: file is too big")
    : json(200, { ok: true, result: { file_id: id, file_path: `documents/${id}` } });
}

const refusal = (status: number, description: string, parameters?: object): SinkBehaviour =>
  json(status, {
    ok: false,
    error_code: status,
    description,
    ...(parameters && { parameters }),
  });

const json = (status: number, body: object): SinkBehaviour => ({
  type: "answer",
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
