import { type Command, InvalidArgumentError, Option } from "commander";
import { environments, isId, type Environment } from "@heliograph/contracts";
import type { Target } from "./target.ts";

type Tools = {
  withTarget(work: (target: Target) => Promise<boolean>): Promise<void>;
  /** As `withTarget`, with a row in the audit. */
  change(
    environment: Environment,
    action: string,
    about: string,
    work: (target: Target) => Promise<boolean>,
  ): Promise<void>;
  readonly signal: AbortSignal;
};

type CopyFlags = {
  namespace: Environment | "platform" | "all";
  from: string;
  to: string;
  once?: true;
  verify?: true;
};
const partnerId = (text: string): string => {
  if (!isId("ptn", text)) throw new InvalidArgumentError("an id of a partner");
  return text;
};
const webAddress = (text: string): string => {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError("https://…, where its API will be");
  return text.replace(/\/+$/, "");
};
const databases = (text: string): string => {
  if (!/^postgres(?:ql)?:\/\//.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError("postgres://…");
  return text;
};
const partnerMove = () => import("./move-partner/index.ts");

/** What moves from one place to another: the log to another engine, a partner to an installation of its own. */
export function addMovingCommands(program: Command, { withTarget, change, signal }: Tools): void {
  program
    .command("copy-log")
    .description(
      "copy the event log to another engine, with its positions, and verify it; run again to go on",
    )
    .addOption(
      new Option("--namespace <namespace>", "which log")
        .choices([...environments, "platform", "all"])
        .makeOptionMandatory(),
    )
    .requiredOption(
      "--from <place>",
      "postgres, eventstoredb (as configured), postgres://… or esdb://…",
    )
    .requiredOption("--to <place>", "the same")
    .option(
      "--once",
      "ahead of the move: services may go on with the source; one pass up to its end as of now",
    )
    .option("--verify", "compare, copy nothing; exit code 1 when they differ")
    .action(({ namespace, from, to, once, verify }: CopyFlags) =>
      withTarget(async (target) => {
        const { endsOf } = await import("./copy-ends.ts");
        const { copyNamespaces } = await import("./copy-log.ts");
        return copyNamespaces({
          namespaces: namespace === "all" ? ["platform", ...environments] : [namespace],
          ...endsOf(from, to, target),
          once: once === true,
          verifyOnly: verify === true,
          signal: signal,
        });
      }),
    );
  const move = program
    .command("move-partner")
    .description("give a partner an installation of its own, which is a copy of this one");
  for (const [verb, description] of [
    ["close", "before the copy: it may read, nothing is accepted or sent for it"],
    ["reopen", "turn back before the move has come to its end"],
  ] as const)
    move
      .command(verb)
      .description(description)
      .argument("<partner>", "its id", partnerId)
      .action((partner: string) =>
        change("live", `move-partner ${verb}`, partner, async (target) => {
          const { closePartner, reopenPartner } = await partnerMove();
          return (verb === "close" ? closePartner : reopenPartner)(target, partner);
        }),
      );
  move
    .command("to")
    .description(
      "compare what both have of the partner, and make it the copy's; exit code 1 where the copy lacks something; run again after a crash",
    )
    .argument("<partner>", "its id", partnerId)
    .requiredOption(
      "--copy <url>",
      "the copy's databases: postgres://…, in which no service runs",
      databases,
    )
    .requiredOption("--address <url>", "where the copy's API will be", webAddress)
    .action((partner: string, { copy, address }: { copy: string; address: string }) =>
      change("live", "move-partner to", `${partner} ${address}`, async (target) =>
        (await partnerMove()).movePartner(target, { partner, copy, address }, signal),
      ),
    );
}
