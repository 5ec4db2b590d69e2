import { type Service, route, sendStream } from "@heliograph/api";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";

async function* endless(): AsyncGenerator<string> {
  for (;;) {
    yield "a,b\n".repeat(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
/** A file that has no end of its own. */
const files: Service = {
  name: "files",
  api: {
    groups: [
      {
        tag: "files",
        description: "Files.",
        routes: [
          route({
            method: "GET",
            path: "/files",
            scope: "keys:read",
            summary: "A file",
            status: 200,
            response: undefined,
            contentType: "text/csv",
            errors: [],
            handler: (call) => sendStream(call, "csv", "file", endless()),
          }),
        ],
      },
    ],
  },
};

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service, files], partners: [{}] });
});
afterAll(() => world.close());

/** Begins to read the file; gives when it ends, whichever way. */
async function read(key: string): Promise<{ readonly ended: Promise<void> }> {
  const answer = await fetch(`http://127.0.0.1:${world.port}/api/v1/files`, {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(20_000),
  });
  expect(answer.status).toBe(200);
  const reader = answer.body!.getReader();
  await reader.read();
  const ended = (async () => {
    while (!(await reader.read()).done);
  })();
  return { ended };
}

test.each(["is revoked", "comes to its end"])(
  "a file ends within a second after its key %s",
  async (how) => {
    const { key } = world.partners[0]!;
    const expires_at = new Date(Date.now() + 2_000).toISOString();
    const issued = await world.call("POST", "/api/v1/keys", {
      key,
      body: { name: "reader", ...(how !== "is revoked" && { expires_at }) },
    });
    const { ended } = await read(issued.body.key as string);
    if (how === "is revoked") await world.call("DELETE", `/api/v1/keys/${issued.body.id}`, { key });
    // Cut off, so that nobody takes it for whole.
    await expect(ended).rejects.toThrow("terminated");
  },
);
