import { expect } from "vitest";

/** Reads server-sent events until `count` have come. */
export async function readStream(
  port: number,
  key: string,
  count: number,
  options: {
    query?: string;
    headers?: Record<string, string>;
    opened?: () => void;
  } = {},
): Promise<{ ids: string[]; data: string[] }> {
  const closing = new AbortController();
  const response = await fetch(
    `http://127.0.0.1:${port}/api/v1/events/stream${options.query ?? ""}`,
    {
      headers: { authorization: `Bearer ${key}`, ...options.headers },
      signal: closing.signal,
    },
  );
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  expect(response.headers.get("cache-control")).toBe("no-store, no-transform");
  expect(response.headers.get("x-accel-buffering")).toBe("no");
  options.opened?.();
  const ids: string[] = [];
  const data: string[] = [];
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const line of blocks.flatMap((block) => block.split("\n"))) {
      if (line.startsWith("id: ")) ids.push(line.slice(4));
      if (line.startsWith("data: ")) data.push(line.slice(6));
    }
    if (ids.length >= count) break;
  }
  closing.abort();
  return { ids, data };
}
