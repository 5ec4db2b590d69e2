import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { nodeOptions } from "@heliograph/runtime/node-options";
import { parse } from "yaml";

/** What the lists need to know of a service. */
export type Listed = {
  readonly name: string;
  readonly consumers?: unknown;
  readonly platformConsumers?: unknown;
  readonly web?: unknown;
};

/** The host of everything runs services and is none. */
const notServices = new Set(["standalone"]);

/** Services that have a process of their own: those with consumers or pages, and the host of everybody's API. */
export const processNames = (services: readonly Listed[]): readonly string[] =>
  services
    .filter(
      ({ name, consumers, platformConsumers, web }) =>
        name === "ingress" ||
        [consumers, platformConsumers, web].some((part) => part !== undefined),
    )
    .map(({ name }) => name);

/**
 * What is written down elsewhere about which services there are, held against the one array of them: folders, main files, scripts, containers and the
 * overviews. One line for each that says something else; none when all follow from the array.
 */
export function wrongLists(root: string, services: readonly Listed[]): readonly string[] {
  const read = (file: string): string => readFileSync(join(root, file), "utf8");
  const names = services.map(({ name }) => name);
  const running = processNames(services);
  const folders = readdirSync(join(root, "services")).filter(
    (name) => !notServices.has(name) && existsSync(join(root, "services", name, "package.json")),
  );
  const mains = folders.filter((name) => existsSync(join(root, "services", name, "src/main.ts")));
  const scripts = JSON.parse(read("package.json")).scripts as Readonly<Record<string, string>>;
  const started = Object.keys(scripts).flatMap((name) =>
    name.startsWith("start:") ? [name.slice("start:".length)] : [],
  );
  const wrongCommands = started
    .filter((name) => scripts[`start:${name}`] !== startCommand(name))
    .map((name) => `package.json: start:${name} is not "${startCommand(name)}"`);
  return [
    ...differ("services/", folders, names),
    ...differ("services/*/src/main.ts", mains, running),
    ...differ("package.json, start:<name>", started, running),
    ...wrongCommands,
    ...["compose.yaml", "compose.engines.yaml"].flatMap((file) => {
      const path = `infra/compose/${file}`;
      return differ(path, containersIn(read(path)), running);
    }),
    ...differ(
      "infra/README.md",
      wordsAfter(read("infra/README.md"), "one container for each of"),
      running,
    ),
    ...differ("ARCHITECTURE.md", wordsAfter(read("ARCHITECTURE.md"), "services/   "), names),
  ];
}

const startCommand = (name: string): string =>
  `node scripts/with-pnpm.mjs node ${nodeOptions.join(" ")} services/${name}/src/main.ts`;

function differ(
  where: string,
  found: readonly string[],
  wanted: readonly string[],
): readonly string[] {
  return [
    ...wanted.filter((name) => !found.includes(name)).map((name) => `${where}: ${name} is missing`),
    ...found
      .filter((name) => !wanted.includes(name))
      .map((name) => `${where}: ${name} does not belong there`),
  ];
}

/** The containers of a compose file that run one of our services: not an image of somebody else's, and not a tool with a command of its own. */
function containersIn(yaml: string): readonly string[] {
  type Container = {
    readonly image?: string;
    readonly command?: unknown;
    readonly build?: { readonly args?: { readonly SERVICE?: string } };
  };
  const { services } = parse(yaml, { merge: true }) as {
    readonly services: Readonly<Record<string, Container>>;
  };
  return Object.entries(services)
    .filter(([, { image, command }]) => image === undefined && command === undefined)
    .map(([name, { build }]) => build?.args?.SERVICE ?? name);
}

/** The names of a list in prose, from behind the marker to the end of the sentence, the line or the next thought. */
function wordsAfter(text: string, marker: string): readonly string[] {
  const at = text.indexOf(marker);
  if (at === -1) return [];
  const [list] = text.slice(at + marker.length).split(/[.\n·]/);
  return list!.match(/[a-z][a-z-]+/g) ?? [];
}
