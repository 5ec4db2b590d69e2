import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSettings, settingNotes } from "@heliograph/runtime";
import { programMissing } from "@heliograph/testkit";
import { nodeOptions } from "@heliograph/runtime/node-options";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const root = new URL("..", import.meta.url).pathname;
const read = (file: string): string => readFileSync(join(root, file), "utf8");
/** Every service that has a process of its own; another test holds these scripts to the services that there are. */
const own = Object.keys(JSON.parse(read("package.json")).scripts as object).flatMap((name) =>
  name.startsWith("start:") ? [name.slice("start:".length)] : [],
);
const documented = new Set(settingNotes.keys());
/** What nobody writes into a unit or into values. */
const secrets = ["HELIOGRAPH_MASTER_KEY", "HELIOGRAPH_DATABASE_URL"];

/** The entries of a unit by `Section.Name`; a name may come more than once. */
function entriesOf(text: string): ReadonlyMap<string, readonly string[]> {
  const entries = new Map<string, string[]>();
  let section = "";
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const head = /^\[(\w+)\]$/.exec(line);
    const entry = /^(\w+)=(.*)$/.exec(line);
    if (head) section = head[1]!;
    else if (entry) {
      const name = `${section}.${entry[1]}`;
      entries.set(name, [...(entries.get(name) ?? []), entry[2]!]);
    } else throw new Error(`no line of a unit: ${line}`);
  }
  return entries;
}

describe.each(["heliograph.service", "heliograph@.service"])("the unit %s", (file) => {
  const text = read(`infra/systemd/${file}`);
  const unit = entriesOf(text);
  const one = (name: string): string => {
    const found = unit.get(name) ?? [];
    expect(found, name).toHaveLength(1);
    return found[0]!;
  };
  const environment = Object.fromEntries(
    (unit.get("Service.Environment") ?? []).map((each) => each.split("=") as [string, string]),
  );

  test("runs a file that exists, for every service that has a process", () => {
    const [node, ...rest] = one("Service.ExecStart").split(" ");
    const script = rest.pop();
    expect(rest).toEqual(nodeOptions);
    expect(node).toBe(`${one("Service.WorkingDirectory")}/node_modules/.bin/node`);
    expect(existsSync(join(root, "node_modules/.bin/node"))).toBe(true);
    const names = file.includes("@") ? own : ["standalone"];
    for (const name of names)
      expect(existsSync(join(root, script!.replace("%i", name))), name).toBe(true);
  });

  test("sets what the settings know, takes secrets as credentials, and kills well behind the drain", () => {
    const ours = Object.keys(environment).filter((name) => name.startsWith("HELIOGRAPH_"));
    const given = (unit.get("Service.LoadCredential") ?? []).map((each) => each.split(":")[0]!);
    for (const name of [...ours, ...given]) expect(documented).toContain(name);
    expect(ours.filter((name) => secrets.includes(name))).toEqual([]);
    expect(given).toContain("HELIOGRAPH_MASTER_KEY");
    const { shutdownMs } = readSettings(environment);
    const stopMs = Number(/^(\d+)s$/.exec(one("Service.TimeoutStopSec"))![1]) * 1_000;
    expect(stopMs).toBeGreaterThanOrEqual(shutdownMs + 10_000);
    expect(one("Service.KillMode")).toBe("mixed");
  });

  test("gives a process nothing that it does not need, and lets V8 write code", () => {
    if (file.includes("@")) expect(one("Service.DynamicUser")).toBe("yes");
    else expect(one("Service.User")).toBe("heliograph");
    for (const name of [
      "NoNewPrivileges",
      "ProtectHome",
      "PrivateTmp",
      "PrivateDevices",
      "ProtectKernelModules",
      "ProtectKernelTunables",
      "ProtectControlGroups",
      "RestrictNamespaces",
      "RestrictSUIDSGID",
      "LockPersonality",
    ])
      expect(one(`Service.${name}`)).toBe("yes");
    expect(one("Service.ProtectSystem")).toBe("strict");
    expect(one("Service.CapabilityBoundingSet")).toBe("");
    expect(one("Service.SystemCallFilter")).toBe("@system-service");
    expect(unit.has("Service.MemoryDenyWriteExecute")).toBe(false);
  });

  test("reads archived events: with its data, or as a member of the group that docs/operating/archive.md makes", () => {
    const folder = readSettings(environment).archiveDir;
    if (!file.includes("@")) {
      expect(folder).toBe("/var/lib/heliograph/archive");
      return;
    }
    const made = `install -d -m 2750 -g ${one("Service.SupplementaryGroups")} ${folder}`;
    expect(read("docs/operating/archive.md")).toContain(made);
  });

  test("is one that systemd takes", (context) => {
    const found = spawnSync("systemd-analyze", ["--version"]);
    context.skip(found.status !== 0, "systemd-analyze is not there");
    const folder = mkdtempSync(join(tmpdir(), "heliograph-unit-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    // It looks whether the program is there, and that is where a release is unpacked.
    const node = join(folder, "node");
    writeFileSync(node, "");
    chmodSync(node, 0o755);
    const named = join(folder, file.replace("@", "@wallet"));
    writeFileSync(named, text.replace(/^ExecStart=\S+/m, `ExecStart=${node}`));
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", named], {
      encoding: "utf8",
    });
    const about = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("heliograph"));
    expect({ status, about }).toEqual({ status: 0, about: [] });
  });
});

type Service = { readonly replicas: number; readonly settings?: Record<string, string> };
type Values = {
  readonly settings: Record<string, string>;
  readonly terminationGracePeriodSeconds: number;
  readonly drainPauseSeconds: number;
  readonly services: Record<string, Service>;
};

test("the scripts and the page that start everything in one process give Node what the units do", () => {
  const { start, site } = JSON.parse(read("package.json")).scripts as Record<string, string>;
  const [bundle] = /\bnode \S.*heliograph\.mjs$/m.exec(read("docs/operating/deploying.md"))!;
  for (const command of [start, site, bundle])
    expect(command).toContain(`node ${nodeOptions.join(" ")} `);
});

describe("the chart", () => {
  const openapi = JSON.parse(read("schemas/openapi.json")) as { readonly paths: object };
  const chart = join(root, "infra/helm/heliograph");
  const values = parse(read("infra/helm/heliograph/values.yaml")) as Values;
  const schema = JSON.parse(read("infra/helm/heliograph/values.schema.json")) as {
    properties: Record<string, { properties?: object }>;
    $defs: { settings: { propertyNames: { not: { enum: string[] } } } };
  };
  const templates = ["_process.tpl", "api.yaml", "services.yaml"].map((name) =>
    read(`infra/helm/heliograph/templates/${name}`),
  );

  test("runs every service, and ends a pod well behind its drain", () => {
    expect(["ingress", ...Object.keys(values.services)].toSorted()).toEqual([...own].toSorted());
    for (const name of Object.keys(values.settings)) expect(documented).toContain(name);
    const { shutdownMs } = readSettings(values.settings);
    expect(values.terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(
      shutdownMs + values.drainPauseSeconds * 1_000 + 10_000,
    );
  });

  test("has a schema that knows every value and refuses secrets in plain", () => {
    expect(Object.keys(values).filter((name) => !(name in schema.properties))).toEqual([]);
    for (const [name, { properties }] of Object.entries(schema.properties))
      if (properties !== undefined && name in values)
        expect(
          Object.keys((values as unknown as Record<string, object>)[name]!).toSorted(),
        ).toEqual(Object.keys(properties).toSorted());
    const refused = schema.$defs.settings.propertyNames.not.enum;
    expect(refused).toEqual(expect.arrayContaining(secrets));
    for (const name of refused) expect(documented).toContain(name);
  });

  test("mounts archived events where its processes look for them, once a claim is named", () => {
    const [process] = templates as [string, ...string[]];
    const folder = /name: HELIOGRAPH_ARCHIVE_DIR\n\s+value: (\S+)/.exec(process)![1];
    expect(process).toContain(`{ name: archive, mountPath: ${folder}, readOnly: true }`);
    const conditions = process.match(/\{\{- (if|with) \$root\.Values\.archive\.claim \}\}/g);
    expect(conditions).toHaveLength(3);
  });

  test("has templates that name values which are there, and end what they begin", () => {
    const all = templates.join("\n");
    const actions = [...all.matchAll(/\{\{-?\s*(?!\/\*)(.*?)\s*-?\}\}/gs)].map(([, text]) => text!);
    const begun = actions.filter((text) => /^(if|range|with|define)\b/.test(text)).length;
    expect(actions.filter((text) => text === "end")).toHaveLength(begun);
    const paths = new Set([...all.matchAll(/\.Values\.([\w.]+)/g)].map(([, path]) => path!));
    expect(paths.size).toBeGreaterThan(10);
    const valueAt = (path: string): unknown =>
      path
        .split(".")
        .reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], values);
    for (const path of paths) expect(valueAt(path), path).toBeDefined();
    const defined = [...all.matchAll(/define "([^"]+)"/g)].map(([, name]) => name);
    for (const [, name] of all.matchAll(/include "([^"]+)"/g)) expect(defined).toContain(name);
  });

  test("leads to the API and the site what the proxy of the pages lets through, and nothing that stays inside", () => {
    const [, api] = templates as [string, string, string];
    const led = (service: string): string[] =>
      [...api.matchAll(/range list (.+) \}\}\n(?:.+\n){3}/g)]
        .filter(([text]) => text.includes(`-${service},`))
        .flatMap(([, list]) => list!.split(" ").map((path) => JSON.parse(path) as string));
    const backendOf = (path: string): string => {
      const fits = ["ingress", "site"].flatMap((service) =>
        led(service)
          .filter((each) => path === each || path.startsWith(each.replace(/\/?$/, "/")))
          .map((each) => ({ service, length: each.length })),
      );
      return fits.toSorted((one, other) => other.length - one.length)[0]!.service;
    };
    for (const path of Object.keys(openapi.paths))
      expect(
        /^\/(?:console|(?:api\/v1\/)?(?:admin\/.*|metrics|healthz|readyz))$/.test(path)
          ? "site"
          : "ingress",
        path,
      ).toBe(backendOf(path));
    for (const path of ["/", "/errors/not_found", "/console", "/console/sign-in", "/metrics"])
      expect(backendOf(path), path).toBe("site");
  });

  test("is one that helm takes: each process with its probes, its secret as files, and a budget where there are two copies", (context) => {
    const helm = (...args: string[]) => spawnSync("helm", args, { encoding: "utf8" });
    const missing = programMissing("helm");
    context.skip(missing !== undefined, missing);
    expect(helm("lint", "--strict", chart)).toMatchObject({ status: 0 });
    // The oldest cluster that the chart is for; a helm that was built from its source believes in one of long ago.
    const [, oldest] = /^kubeVersion: ">=([\d.]+)/m.exec(read("infra/helm/heliograph/Chart.yaml"))!;
    const template = (...args: string[]) => helm("template", "--kube-version", oldest!, ...args);
    const made = template(
      "acme",
      chart,
      "--set",
      "ingress.enabled=true",
      "--set",
      "archive.claim=shared",
    );
    expect(made.stderr).toBe("");
    const objects = parseAllDocuments(made.stdout).map((each) => each.toJS() as Made);
    const named = (kind: string): string[] =>
      objects.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);
    expect(named("Deployment").toSorted()).toEqual(own.map((name) => `acme-${name}`).toSorted());
    const doubled = Object.entries(values.services).filter(([, { replicas }]) => replicas > 1);
    expect(named("PodDisruptionBudget").toSorted()).toEqual(
      ["acme-ingress", ...doubled.map(([name]) => `acme-${name}`)].toSorted(),
    );
    expect(named("Ingress")).toEqual(["acme"]);
    const ingress = objects.find(({ kind }) => kind === "Ingress") as unknown as Ingress;
    const led = ingress.spec.rules[0]!.http.paths.map(
      ({ path, backend }) => `${path} ${backend.service.name}:${backend.service.port.name}`,
    );
    expect(led).toEqual(
      expect.arrayContaining([
        "/api/v1 acme-ingress:http",
        "/api/v1/admin acme-site:http",
        "/ acme-site:http",
      ]),
    );
    const services = new Set(named("Service"));
    for (const { backend } of ingress.spec.rules[0]!.http.paths)
      expect(services).toContain(backend.service.name);
    for (const { kind, spec } of objects) {
      if (kind !== "Deployment") continue;
      const [container] = spec!.template.spec.containers;
      expect(container).toMatchObject({
        livenessProbe: { httpGet: { path: "/healthz" } },
        readinessProbe: { httpGet: { path: "/readyz" } },
        securityContext: { readOnlyRootFilesystem: true },
      });
      expect(container!.volumeMounts).toContainEqual(expect.objectContaining({ name: "archive" }));
      const env = container!.env.map(({ name }) => name);
      expect(env.filter((name) => secrets.includes(name))).toEqual([]);
      for (const name of env)
        if (name.startsWith("HELIOGRAPH_")) expect(documented).toContain(name);
    }
    const plain = template(chart, "--set", "settings.HELIOGRAPH_MASTER_KEY=ab");
    expect(plain.status).not.toBe(0);
    expect(plain.stderr).toContain("HELIOGRAPH_MASTER_KEY");
  });
});

type Ingress = {
  readonly spec: {
    readonly rules: readonly {
      readonly http: {
        readonly paths: readonly {
          readonly path: string;
          readonly backend: {
            readonly service: { readonly name: string; readonly port: { readonly name: string } };
          };
        }[];
      };
    }[];
  };
};
type Made = {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly env: { name: string }[];
          readonly volumeMounts: object[];
        }[];
      };
    };
  };
};
