import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { generate } from "orval";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { openapiDocument, services } from "../src/index.ts";

// Generating and compiling takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const tsc = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));
const password = "correct horse battery";

/** An agent's app, as somebody would write it who has nothing but the generated client. */
const app = `import {
  getMobileSync, postConversationsIdMessages, postConversationsIdRead, postMobileDevices, postMobileSessions,
  type ConversationMessage,
} from "./client.ts";
declare global { var apiOrigin: string }

export async function work(origin: string, email: string, password: string) {
  globalThis.apiOrigin = origin;
  const device = { name: "phone", platform: "android" } as const;
  const session = await postMobileSessions({ email, password, environment: "sandbox", device });
  if (session.status !== 201) throw new Error(session.data.detail);
  const headers = { authorization: \`Bearer \${session.data.access_token}\` };
  const registered = await postMobileDevices({ fcm_token: "app-phone", platform: "android" }, { headers });
  if (registered.status !== 201) throw new Error(registered.data.detail);
  const begun = await getMobileSync({}, { headers });
  if (begun.status !== 200) throw new Error(String(begun.status));
  const [conversation] = begun.data.conversations;
  const [question] = begun.data.messages;
  if (conversation === undefined || question === undefined) throw new Error("nobody has asked");
  const ids: string[] = [];
  // The answers to the first two were lost in a tunnel.
  for (let time = 0; time < 3; time++) {
    const sent = await postConversationsIdMessages(conversation.id, { text: "Today." }, { headers: { ...headers, "idempotency-key": "reply-1" } });
    if (sent.status !== 200 && sent.status !== 202) throw new Error(sent.data.detail);
    ids.push(sent.data.id ?? "");
  }
  const read = await postConversationsIdRead(conversation.id, { up_to: question.id }, { headers });
  if (read.status !== 200) throw new Error(read.data.detail);
  const told = new Map<string, ConversationMessage>();
  let after = begun.data.next_after;
  for (let page = 0; page < 50 && told.get(ids[0]!)?.status !== "delivered"; page++) {
    const more = await getMobileSync({ after, wait: 5 }, { headers });
    if (more.status !== 200) throw new Error(String(more.status));
    for (const message of more.data.messages) told.set(message.id, message);
    after = more.data.next_after;
  }
  return { question: question.text, ids, told: [...told.values()] };
}
`;
const tsconfig = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    target: "es2024",
    module: "nodenext",
    lib: ["es2024", "dom", "dom.iterable"],
    types: [],
    allowImportingTsExtensions: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    erasableSyntaxOnly: true,
  },
  include: ["app.ts"],
};

let world: World;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heliograph-client-"));
  world = await openWorld({ services, consumers: "run", partners: [{}] });
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

it("a client that is generated from the document compiles strictly, signs in, syncs, and answers once however often it asks", async () => {
  const at = (name: string): string => join(folder, name);
  await writeFile(at("package.json"), '{"type":"module"}');
  await writeFile(at("openapi.json"), JSON.stringify(openapiDocument()));
  await writeFile(at("app.ts"), app);
  await writeFile(at("tsconfig.json"), JSON.stringify(tsconfig));
  await generate({
    input: {
      target: at("openapi.json"),
      filters: { mode: "include", tags: ["mobile", "conversations", "messages"] },
    },
    output: {
      target: at("client.ts"),
      client: "fetch",
      mode: "single",
      baseUrl: { runtime: "globalThis.apiOrigin" },
    },
  });
  const compiled = await promisify(execFile)(tsc, ["-p", folder]).catch(
    (error: { stdout: string }) => error,
  );
  expect(compiled.stdout).toBe("");

  const { key } = world.partners[0]!;
  const email = "app@example.org";
  const agent = { name: "Ada", email, role: "agent", password };
  expect(await world.call("POST", "/api/v1/agents", { key, body: agent })).toMatchObject({
    status: 201,
  });
  const inbound = { channel: "sms", from: "+15551234567", text: "Where is my order?" };
  await world.call("POST", "/api/v1/sandbox/inbound", { key, body: inbound });
  await until(async () => {
    const { body } = await world.call("GET", "/api/v1/mobile/sync", { key });
    return body.messages.length === 1;
  });

  const { work } = (await import(pathToFileURL(at("app.ts")).href)) as {
    work: (origin: string, email: string, password: string) => Promise<Record<string, unknown>>;
  };
  const done = await work(`http://127.0.0.1:${world.port}`, email, password);
  expect(done["question"]).toBe("Where is my order?");
  const ids = done["ids"] as string[];
  expect(new Set(ids).size).toBe(1);
  expect(done["told"]).toContainEqual(
    expect.objectContaining({
      id: ids[0],
      text: "Today.",
      status: "delivered",
      agent: expect.objectContaining({ name: "Ada" }),
    }),
  );
});
