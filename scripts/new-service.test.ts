import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Instance,
  apiClient,
  newDataDir,
  removeDataDir,
  startInstance,
  testServer,
  until,
} from "@heliograph/testkit";
import { nodeOptions } from "@heliograph/runtime/node-options";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkBoundaries } from "./check/boundaries.ts";
import type { OpenApi } from "./generate/pages.ts";

const root = new URL("..", import.meta.url).pathname;
const example = join(root, "docs/examples/service");
const installTimeoutMs = 180_000;

/** Every file outside of the new folder that CONTRIBUTING says to touch, with what stands there and what it becomes. */
const edits: readonly (readonly [file: string, from: string, to: string])[] = [
  // The category of its events.
  ["packages/contracts/src/ids.ts", '  "message",\n', '  "message",\n  "greeting",\n'],
  [
    "packages/contracts/src/events/index.ts",
    'import * as key from "./key.ts";\n',
    'import * as greeting from "./greeting.ts";\nimport * as key from "./key.ts";\n',
  ],
  ["packages/contracts/src/events/index.ts", "  ...message,\n", "  ...message,\n  ...greeting,\n"],
  // The array, and the host that holds it.
  [
    "services/ingress/src/services.ts",
    "import { service as lifecycle }",
    'import { service as greetings } from "@heliograph/greetings";\nimport { service as lifecycle }',
  ],
  ["services/ingress/src/services.ts", "  webhooks,\n", "  webhooks,\n  greetings,\n"],
  [
    "services/ingress/package.json",
    '    "@heliograph/lifecycle"',
    '    "@heliograph/greetings": "workspace:*",\n    "@heliograph/lifecycle"',
  ],
  // What `generate` asks for of a service with consumers.
  [
    "package.json",
    '    "start:ingress"',
    `    "start:greetings": "node scripts/with-pnpm.mjs node ${nodeOptions.join(" ")} services/greetings/src/main.ts",\n    "start:ingress"`,
  ],
  [
    "infra/compose/compose.yaml",
    "  wallet:\n",
    "  greetings:\n    <<: *service\n    build: { context: ../.., dockerfile: infra/image/Dockerfile, args: { SERVICE: greetings } }\n\n  wallet:\n",
  ],
  [
    "infra/compose/compose.engines.yaml",
    "  wallet: *service\n",
    "  wallet: *service\n  greetings: *service\n",
  ],
  ["infra/README.md", "one container for each of ", "one container for each of greetings, "],
  ["ARCHITECTURE.md", " services/   ", " services/   greetings "],
];

let copy: string;

const run = (command: string, args: readonly string[]): { code: number | null; output: string } => {
  const env = {
    ...process.env,
    CI: "true",
    PATH: `${copy}/node_modules/.bin:${process.env["PATH"]}`,
  };
  const options = { cwd: copy, env, encoding: "utf8", timeout: installTimeoutMs } as const;
  const { status, stdout, stderr } = spawnSync(command, args, options);
  return { code: status, output: stdout + stderr };
};
const read = (file: string): string => readFileSync(join(copy, file), "utf8");

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "heliograph-service-"));
  const listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const files = execFileSync("git", ["-C", root, ...listing], { encoding: "utf8" });
  for (const file of files.split("\0").filter(Boolean))
    cpSync(join(root, file), join(copy, file), { verbatimSymlinks: true });
  cpSync(join(example, "greetings"), join(copy, "services/greetings"), { recursive: true });
  cpSync(join(example, "greeting.ts"), join(copy, "packages/contracts/src/events/greeting.ts"));
  for (const [file, from, to] of edits) {
    if (read(file).split(from).length !== 2) throw new Error(`${file} has not one place: ${from}`);
    writeFileSync(
      join(copy, file),
      read(file).replace(from, () => to),
    );
  }
  const { packageManager } = JSON.parse(read("package.json")) as { packageManager: string };
  const install = ["install", "--prefer-offline", "--no-frozen-lockfile", "--ignore-scripts"];
  const installed = run("npx", ["--yes", packageManager, ...install]);
  if (installed.code !== 0) throw new Error(installed.output);
}, installTimeoutMs);

afterAll(() => rmSync(copy, { recursive: true, force: true }));

test("a new service is a folder, an entry in the array and a category of events", () => {
  // The product and what generates its files; the tests of other services, half of what there is to check, do not know this one.
  const files = [
    ...["greetings", "standalone"].map((name) => `services/${name}/src/main.ts`),
    "scripts/generate.ts",
  ];
  const extended = { extends: "./tsconfig.json", include: [], files };
  writeFileSync(join(copy, "tsconfig.running.json"), JSON.stringify(extended));
  const checked = run("tsc", ["-p", "tsconfig.running.json", "--singleThreaded"]);
  expect(checked).toEqual({ code: 0, output: "" });
  expect(checkBoundaries(copy)).toEqual([]);
  expect(run("node", ["scripts/generate.ts"])).toMatchObject({ code: 0 });
  const document = JSON.parse(read("schemas/openapi.json")) as OpenApi & { readonly tags: unknown };
  expect(document.tags).toContainEqual({
    name: "greetings",
    description: "Greet, and see whom.",
  });
  expect(document.paths["/api/v1/greetings"]).toMatchObject({
    get: { tags: ["greetings"] },
    post: { tags: ["greetings"] },
  });
  expect(read("schemas/events/Greeted.v1.json")).toContain("Somebody was greeted.");
  expect(read("docs/operating/settings.md")).toContain("`greetings`");
}, 240_000);

async function wordsIn(server: pg.ClientConfig, database: string): Promise<readonly string[]> {
  const client = new pg.Client({ ...server, database });
  await client.connect();
  try {
    const { rows } = await client.query<{ word: string }>("select word from greeting_words.words");
    return rows.map(({ word }) => word);
  } finally {
    await client.end();
  }
}

test("the host serves its routes, makes its table and runs its consumer", async () => {
  const server = await testServer();
  const dataDir = newDataDir();
  const database = new URL(server.baseUrl);
  database.pathname = `/${server.namePrefix}toy`;
  const start = (env: Readonly<Record<string, string>>): Promise<Instance> =>
    startInstance({
      dataDir,
      entry: join(copy, "services/standalone/src/main.ts"),
      env: {
        HELIOGRAPH_DATABASE_URL: database.href,
        HELIOGRAPH_MASTER_KEY: "5e".repeat(32),
        ...env,
      },
    });
  let instance: Instance | undefined;
  try {
    // Who runs the service alone has its tables too, without the host of the API.
    const alone = await start({ HELIOGRAPH_SERVICES: "greetings" });
    expect(await alone.stop()).toMatchObject({ code: 0 });
    expect(await wordsIn(server.baseConfig, `${server.namePrefix}toy_sandbox`)).toEqual(["Hello"]);
    instance = await start({});
    const api = apiClient(instance.baseUrl, instance.sandboxKey);
    const greeted = await api.post("/greetings", { name: "Ada" });
    expect(greeted).toMatchObject({ status: 201, body: { greeting: "Hello, Ada!" } });
    const counted = await until(
      async () => {
        const { body } = await api.get("/greetings");
        return body.data.length > 0 && body;
      },
      { what: "the consumer has counted" },
    );
    expect(counted).toEqual({ data: [{ name: "Ada", times: 1 }] });
    const admin = apiClient(instance.baseUrl, instance.adminKey);
    // Consumers report once a second.
    await until(
      async () => {
        const { body } = await admin.get("/admin/projections");
        return JSON.stringify(body).includes('"name":"greetings"');
      },
      { what: "the consumer is shown to operators" },
    );
  } finally {
    await instance?.stop();
    await removeDataDir(dataDir);
    await server.dropAll();
  }
}, 240_000);
