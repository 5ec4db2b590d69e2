import { Command, InvalidArgumentError, Option } from "commander";
import { environments, type Environment } from "@heliograph/contracts";
import { allowClosedOutput } from "../shared/output.ts";
import { OpsError, sayingOf } from "./error.ts";
import { anchorOf, type Anchor } from "./anchor.ts";
import { addMovingCommands } from "./moving-commands.ts";
import type { Target } from "./target.ts";

allowClosedOutput();

const environmentOption = (): Option =>
  new Option("--env <environment>", "which environment").choices(environments);
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new OpsError("interrupted")));
process.once("SIGTERM", () => interrupted.abort(new OpsError("interrupted")));

// Loading all that some command needs takes a second of a processor: each loads its own.
const lists = () => import("./lists.ts");
const accounts = () => import("./accounts.ts");
const gatewaysOf = () => import("./gateways.ts");

// Positional: an option belongs to the command before it, so that `dead-letters` and `dead-letters retry` can both have --env.
const program = new Command("ops")
  .enablePositionalOptions()
  .description(
    "Partners, keys, gateways, projections, dead letters and the log of a Heliograph installation",
  )
  .addHelpText(
    "after",
    "\nThe database is that of HELIOGRAPH_DATABASE_URL, else of the instance on HELIOGRAPH_DATA_DIR (.heliograph).",
  );

program
  .command("doctor")
  .description(
    "one page on how the installation does; changes nothing; exit code 1 when something failed",
  )
  .option("--json", "for programs")
  .action(async ({ json = false }: { json?: boolean }) => {
    const { doctor } = await import("./doctor/index.ts");
    process.exitCode = await doctor(process.env, json);
  });

const share = (text: string): number => {
  if (!/^(1|0?\.\d{1,4})$/.test(text)) throw new InvalidArgumentError("a number up to 1");
  if (Number(text) === 0) throw new InvalidArgumentError("more than 0");
  return Number(text);
};
const many = (text: string): number => {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("a number");
  return Number(text);
};
program
  .command("capacity")
  .description("what a rate and a number of partners take, on paper, from what was measured")
  .requiredOption("--rate <n>", "messages a second at the busiest", many)
  .requiredOption("--partners <n>", "how many", many)
  .option("--average <share>", "of the busiest second, over a day", share, 0.25)
  .option("--use <share>", "of each bound", share, 0.6)
  .action(async (given: { rate: number; partners: number; average: number; use: number }) => {
    const { capacityRows } = await import("./capacity.ts");
    const { sayTable } = await import("../shared/table.ts");
    const { rate, partners, average: averageShare, use } = given;
    sayTable(capacityRows({ messagesPerSecond: rate, partners, averageShare, use }));
  });

for (const [name, description] of [
  ["sbom", "a bill of materials of this release: CycloneDX 1.6, JSON"],
  ["licences", "the packages of this release with their licences"],
] as const)
  program
    .command(name)
    .description(description)
    .option("--all", "what builds and tests it, too")
    .action(async ({ all = false }: { all?: boolean }) => {
      const { sayBill, sayLicences } = await import("./sbom.ts");
      (name === "sbom" ? sayBill : sayLicences)(all);
    });

program
  .command("projections")
  .description("every consumer with its position, lag and last error")
  .addOption(environmentOption())
  .action((options: { env?: Environment }) =>
    withTarget(async (target) => (await lists()).showProjections(target, options.env)),
  );

program
  .command("rebuild")
  .description("compute projections again from the log and swap them in while they serve")
  .argument("<names...>", "the projections; several are computed at once")
  .addOption(environmentOption().makeOptionMandatory())
  .option("--verify", "compute and compare, change nothing; exit code 1 when they differ")
  .action((names: string[], { env, verify = false }: { env: Environment; verify?: boolean }) =>
    change(env, verify ? "verify" : "rebuild", names.join(" "), async (target) => {
      const { rebuild } = await import("./rebuild.ts");
      return rebuild(target, [...new Set(names)], env, verify, interrupted.signal);
    }),
  );

program
  .command("shadow")
  .description(
    "compute a projection by this release's code beside the served one, whose release may be another, and count the rows that differ; changes nothing; exit code 1 when some do",
  )
  .requiredOption("--projector <name>", "the projection")
  .addOption(environmentOption().makeOptionMandatory())
  .action(({ projector, env }: { projector: string; env: Environment }) =>
    withTarget(async (target) =>
      (await import("./shadow.ts")).shadow(target, projector, env, interrupted.signal),
    ),
  );

const position = (text: string): bigint => {
  if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError("a position is a number");
  return BigInt(text);
};
program
  .command("refill-topic")
  .description("publish a part of the log to its Kafka topic again, for readers outside")
  .addOption(environmentOption().makeOptionMandatory())
  .requiredOption("--from <position>", "events after this position; 0 for all", position)
  .option(
    "--to <position>",
    "up to and including this one (default: all that was published)",
    position,
  )
  .action((options: { env: Environment; from: bigint; to?: bigint }) =>
    change(options.env, "refill-topic", `from ${options.from}`, async (target) => {
      const { refill } = await import("./refill.ts");
      return refill(target, options.env, options.from, options.to, interrupted.signal);
    }),
  );

type RefoldFlags = {
  env: Environment;
  gateway?: string;
  from: bigint;
  to?: bigint;
  dryRun?: true;
};
program
  .command("refold-callbacks")
  .description(
    "after a parser or a gateway's settings were mended: read what providers reported again, and correct messages whose outcome is not what was told",
  )
  .addOption(environmentOption().default("live"))
  .option("--gateway <name>", "only this gateway's callbacks")
  .option("--from <position>", "callbacks after this position (default: all)", position, 0n)
  .option("--to <position>", "up to and including this one (default: all)", position)
  .option("--dry-run", "show what would be corrected, change nothing")
  .action(({ env, gateway, from: after, to, ...flags }: RefoldFlags) => {
    const dryRun = flags.dryRun === true;
    const work = async (target: Target) => {
      const { refold } = await import("./refold.ts");
      return refold(target, env, { gateway, after, to, dryRun }, interrupted.signal);
    };
    const about = `${gateway ?? "every gateway"} from ${after}`;
    return dryRun ? withTarget(work) : change(env, "refold-callbacks", about, work);
  });

const id = (text: string): string => {
  if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError("an id is a number");
  return text;
};
const rate = (text: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("a number from 1 to 999999");
  return Number(text);
};
const letters = program
  .command("dead-letters")
  .enablePositionalOptions()
  .description("events that a consumer could not handle, newest first")
  .addOption(environmentOption())
  .addOption(new Option("--status <status>", "only these").choices(["open", "retry", "resolved"]))
  .action((options: { env?: Environment; status?: string }) =>
    withTarget(async (target) =>
      (await lists()).showDeadLetters(target, options.env, options.status),
    ),
  );
letters
  .command("retry")
  .description("have the consumer handle one again")
  .argument("<id>", "its id", id)
  .addOption(environmentOption().makeOptionMandatory())
  .action((letter: string, options: { env: Environment }) =>
    change(options.env, "dead-letters retry", letter, async (target) =>
      (await lists()).retry(target, options.env, letter),
    ),
  );

program
  .command("create-partner")
  .description("make a partner with a live and a sandbox key, which are shown once")
  .argument("<name>", "its name")
  .option("--rate-limit <n>", "requests a second", rate)
  .action((name: string, options: { rateLimit?: number }) =>
    change("live", "create-partner", name, async (target) =>
      (await accounts()).createPartner(target, name, options.rateLimit),
    ),
  );
program
  .command("partners")
  .description("every partner, oldest first")
  .action(() => withTarget(async (target) => (await accounts()).showPartners(target)));
program
  .command("create-key")
  .description("issue a key to a partner, or an operator's key, which is shown once")
  .option("--admin", "an operator's key: it reaches /admin/*, in both environments")
  .option("--partner <id>", "the partner who gets it")
  .addOption(environmentOption())
  .requiredOption("--name <name>", "what it is for")
  .action((options: { admin?: true; partner?: string; env?: Environment; name: string }) => {
    const { admin = false, partner, env: environment, name } = options;
    if (admin === (partner !== undefined)) throw new OpsError("either --admin or --partner <id>");
    if (!admin && environment === undefined) throw new OpsError("--partner needs --env");
    const request = { name, admin, partner, environment: environment ?? "live" };
    return change(request.environment, "create-key", partner ?? "admin", async (target) =>
      (await accounts()).createKey(target, request),
    );
  });
program
  .command("keys")
  .description("every key with what may be shown of it")
  .option("--partner <id>", "only this partner's")
  .action(({ partner }: { partner?: string }) =>
    withTarget(async (target) => (await accounts()).showKeys(target, partner)),
  );

program
  .command("accept-key")
  .description("after the master key was lost: make the one that is set now the installation's")
  .action(() =>
    change("live", "accept-key", "master key", async (target) =>
      (await accounts()).acceptKey(target),
    ),
  );

program
  .command("rotate-key")
  .description(
    "seal everything with the first of the two master keys that are set, in place of the second; run again until it says that it is done; exit code 1 before",
  )
  .option("--check", "count what is left under the key before, change nothing")
  .action(({ check = false }: { check?: boolean }) => {
    const work = async (target: Target) =>
      (await import("./rotate-key/index.ts")).rotateKey(target, check, interrupted.signal);
    return check ? withTarget(work) : change("live", "rotate-key", "master key", work);
  });

program
  .command("backup")
  .description("copy the embedded PostgreSQL, as of one moment, while services go on")
  .argument("<folder>", "what is made: a data folder without the master key")
  .option(
    "--earlier <folder>",
    "a backup on the same file system, whose files of archived events are linked in place of copied",
  )
  .action((folder: string, { earlier }: { earlier?: string }) =>
    withTarget(async (target) =>
      (await import("./backup.ts")).backUp(target, folder, earlier, interrupted.signal),
    ),
  );
program
  .command("restored")
  .description(
    "after a restore to an earlier point, before the start: number new events as none was before",
  )
  .action(() =>
    change("live", "restored", "sequences", async (target) =>
      (await import("./restored.ts")).restored(target),
    ),
  );

const gateways = program
  .command("gateways")
  .description("every gateway of both environments")
  .action(() => withTarget(async (target) => (await gatewaysOf()).showGateways(target)));
for (const [verb, enabled] of [
  ["enable", true],
  ["disable", false],
] as const)
  gateways
    .command(verb)
    .description(`${verb} one for good, whatever the settings of a process say`)
    .argument("<name>", "the gateway")
    .addOption(environmentOption().makeOptionMandatory())
    .action((name: string, { env }: { env: Environment }) =>
      change(env, `gateways ${verb}`, name, async (target) =>
        (await gatewaysOf()).enableGateway(target, env, name, enabled),
      ),
    );

const number =
  (pattern: RegExp, what: string) =>
  (text: string): number => {
    if (!pattern.test(text)) throw new InvalidArgumentError(what);
    return Number(text);
  };
const days = number(/^[1-9]\d{0,4}$/, "a number of days, 1 or more");
const shareOption = () =>
  new Option("--share <percent>", "of the time to work, and to rest for what is left")
    .argParser(number(/^([1-9]\d?|100)$/, "1 to 100"))
    .default(50);
type ArchiveFlags = { env: Environment; olderThan: number; share: number; evenRestored?: true };
program
  .command("archive")
  .description(
    "move the contents of old events out of PostgreSQL into files, which every reader goes on reading; run again to go on where it was stopped",
  )
  .addOption(environmentOption().makeOptionMandatory())
  .option("--older-than <days>", "events written before that (default: 90)", days, 90)
  .addOption(shareOption())
  .option("--even-restored", "also what a restore has put back")
  .action(({ env, olderThan, share, evenRestored }: ArchiveFlags) =>
    change(env, "archive", `older than ${olderThan} days`, async (target) =>
      (await import("./archive.ts")).archive(
        target,
        env,
        Date.now() - olderThan * 86_400_000,
        interrupted.signal,
        { share: share / 100, evenRestored: evenRestored === true },
      ),
    ),
  );
program
  .command("restore")
  .description("put the contents of archived events back into PostgreSQL; the files stay")
  .addOption(environmentOption().makeOptionMandatory())
  .option("--from <position>", "only files with events after this position", position, 0n)
  .addOption(shareOption())
  .action(({ env, from, share }: { env: Environment; from: bigint; share: number }) =>
    change(env, "restore", `from ${from}`, async (target) =>
      (await import("./archive.ts")).restore(target, env, from, interrupted.signal, share / 100),
    ),
  );

addMovingCommands(program, { withTarget, change, signal: interrupted.signal });

type VerifyFlags = { namespace: Environment | "platform" | "all"; anchor?: Anchor };
program
  .command("verify-log")
  .description(
    "check that the event log is whole and as it was written: hash chain, positions, revisions, JSON and schemas; exit code 1 at the first flaw",
  )
  .addOption(
    new Option("--namespace <namespace>", "which log")
      .choices([...environments, "platform", "all"])
      .default("all"),
  )
  .option(
    "--anchor <position:sha256>",
    "what an earlier run had come to, to see that the chain was not made anew",
    anchorOf,
  )
  .action(({ namespace, anchor }: VerifyFlags) =>
    withTarget(async (target) => {
      const { verifyNamespaces } = await import("./verify-log.ts");
      return verifyNamespaces(target, {
        namespaces: namespace === "all" ? ["platform", ...environments] : [namespace],
        anchor,
        signal: interrupted.signal,
      });
    }),
  );

program
  .command("verify-audit")
  .description(
    "check that the audit is whole and as it was written: hashes, numbers, days, what the platform's log was told, and the logs from which the rest is read; exit code 1 at the first flaw",
  )
  .addOption(environmentOption())
  .option(
    "--from <position:sha256>",
    "go on in the environment's log where an earlier run had come to; needs --env",
    anchorOf,
  )
  .action(({ env, from }: { env?: Environment; from?: Anchor }) =>
    withTarget(async (target) => {
      const { verifyAudits } = await import("./verify-audit.ts");
      return verifyAudits(target, { only: env, from, signal: interrupted.signal });
    }),
  );

/** As `withTarget`, for what changes something: it stands in the audit of the environment. */
function change(
  environment: Environment,
  action: string,
  about: string,
  work: (target: Target) => Promise<boolean>,
): Promise<void> {
  return withTarget(async (target) => {
    const { audited } = await import("./audited.ts");
    return audited(target, environment, { action, target: about }, () => work(target));
  });
}

async function withTarget(work: (target: Target) => Promise<boolean>): Promise<void> {
  const { openTarget } = await import("./target.ts");
  const target = await openTarget(process.env);
  try {
    if (!(await work(target))) process.exitCode = 1;
  } finally {
    await target.close();
  }
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`ops: ${await sayingOf(error)}\n`);
  process.exitCode = 2;
}
