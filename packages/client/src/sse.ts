import { HeliographError } from "./errors.ts";

/** A stream's event with no end to it would fill the memory: ours have at most some kilobytes. */
const longestEvent = 4 * 1024 * 1024;

export type Told = {
  /** What the stream goes on behind, where it says so. */
  readonly id: string | undefined;
  /** Undefined where it says nothing but that. */
  readonly data: string | undefined;
};

/** Server-sent events (HTML, section 9.2): those with data, and ids that came alone. `onBytes` is called for whatever comes, comments too. */
export async function* eventsIn(
  body: AsyncIterable<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<Told, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  let id: string | undefined;
  let size = 0;
  for await (const bytes of body) {
    onBytes();
    rest += decoder.decode(bytes, { stream: true });
    if (rest.length + size > longestEvent)
      throw new HeliographError("The stream has an event without an end.");
    // A CR at the very end may be the first half of CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0 || id !== undefined)
          yield { id, data: data.length > 0 ? data.join("\n") : undefined };
        data = [];
        id = undefined;
        size = 0;
      } else if (line.startsWith("data:")) {
        const value = line.slice("data:".length).replace(/^ /, "");
        size += value.length;
        data.push(value);
      } else if (line.startsWith("id:")) id = line.slice("id:".length).trim();
    }
  }
}
