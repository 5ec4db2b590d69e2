import { type EventData, environments, failpoint, streamOf, uuid7 } from "@heliograph/contracts";
import type { Append, EventLog } from "@heliograph/log";
import { operator } from "@heliograph/platform";
import { serverOf, type Namespace } from "@heliograph/runtime";
import { sayTable } from "../../shared/table.ts";
import { actor, onControlPlane, type Work } from "../control-plane.ts";
import { endsOf } from "../copy-ends.ts";
import { OpsError } from "../error.ts";
import type { Target } from "../target.ts";
import { comparePartner, type Sums } from "./compare.ts";

type Placed = EventData<"PartnerPlaced">;
type Place = Omit<Placed, "partner_id" | "placed_at">;
/** Where a partner lives by a platform log, and the revision at which that stands. */
type Placing = { readonly placed: Place; readonly revision: number };

const namespaces: readonly Namespace[] = ["platform", ...environments];
/** Events of one call to the log. */
const maxAppends = 500;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Where the partner lives. Throws OpsError where there is no such partner. */
async function placingOf(log: EventLog, partner: string, where: string): Promise<Placing> {
  const events = await log.readStream(streamOf("partner", partner));
  const last = events.at(-1);
  if (last === undefined) throw new OpsError(`there is no partner ${partner} ${where}`);
  const { data } = events.findLast((each) => each.type === "PartnerPlaced") ?? {};
  const placed = (data as Placed | undefined) ?? { place: "here" as const };
  return { placed, revision: last.revision };
}

const placedAs = (partner: string, place: Place, expected: Append["expected"]): Append => ({
  stream: streamOf("partner", partner),
  expected,
  events: [
    {
      id: uuid7(),
      type: "PartnerPlaced",
      data: { partner_id: partner, ...place, placed_at: new Date().toISOString() },
      metadata: { partner, actor },
    },
  ],
});

/** Ends what is done for a partner here, but for what is read, so that a copy of the installation can be made that has all of it. True when it is done. */
export const closePartner = (target: Target, partner: string): Promise<boolean> =>
  onControlPlane(target, async ({ log, append }) => {
    if (partner === operator.partner_id) throw new OpsError("the operators stay");
    const { placed, revision } = await placingOf(log, partner, "here");
    if (placed.place === "elsewhere")
      throw new OpsError(`${partner} lives in another installation`);
    if (placed.place === "here") await append([placedAs(partner, { place: "leaving" }, revision)]);
    say(`${partner} is closed: it can read, and nothing is accepted or sent for it.`);
    say("Wait a minute, so that what was under way has ended, then copy the installation.");
  });

/** Turns a move back that has not come to its end. True when it is done. */
export const reopenPartner = (target: Target, partner: string): Promise<boolean> =>
  onControlPlane(target, async ({ log, append }) => {
    const { placed, revision } = await placingOf(log, partner, "here");
    if (placed.place === "elsewhere")
      throw new OpsError(`${partner} has moved: it is the other installation's`);
    if (placed.place === "leaving") await append([placedAs(partner, { place: "here" }, revision)]);
    say(`${partner} lives here. Remove the copy, should there be one.`);
  });

export type Move = {
  readonly partner: string;
  /** The databases of the copy, as `HELIOGRAPH_DATABASE_URL` names them. */
  readonly copy: string;
  /** Where the copy's API will be. */
  readonly address: string;
};

/**
 * Gives a closed partner to a copy of this installation in which no process runs: compares all that both have of it, closes everybody else there, and makes it the copy's. At each moment one of the two at
 * most acts for it; killed anywhere, it is run again. True when the partner lives in the copy, false where the copy has not all of it. Throws OpsError or CopyRefused where that cannot be.
 */
export async function movePartner(
  target: Target,
  { partner, copy, address }: Move,
  signal: AbortSignal,
): Promise<boolean> {
  if (target.settings.log === "eventstoredb")
    throw new OpsError("a copy is one of PostgreSQL; move the log there first (copy-log)");
  const there: Target = { ...target, server: serverOf(copy) };
  const ofSource = await reading(target, (log) => placingOf(log, partner, "here"));
  const ofCopy = await reading(there, (log) => placingOf(log, partner, "in the copy"));
  if (ofSource.placed.place === "here")
    throw new OpsError(`${partner} is not closed: move-partner close ${partner}, then copy`);
  if (ofSource.placed.place === "elsewhere") {
    if (ofCopy.placed.move_id !== ofSource.placed.move_id)
      throw new OpsError(`${partner} has moved already, and not to this copy`);
  } else {
    if (ofCopy.placed.place !== "leaving")
      throw new OpsError(`the copy was made before ${partner} was closed: make another`);
    if (!(await isWhole(target, copy, partner, signal))) return false;
    await leave(target, there, { partner, address, ofSource, ofCopy });
  }
  await failpoint("move_partner.left");
  await onControlPlane(there, async ({ log, append }) => {
    const { placed, revision } = await placingOf(log, partner, "in the copy");
    if (placed.place === "here") return;
    await append([placedAs(partner, { ...placed, place: "here" }, revision)]);
  });
  say(`${partner} lives in the copy. Start it, and send its API's callers to ${address}.`);
  return true;
}

async function reading<Result>(
  target: Target,
  read: (log: EventLog) => Promise<Result>,
): Promise<Result> {
  let result: Result;
  await onControlPlane(target, async ({ log }) => {
    result = await read(log);
  });
  return result!;
}

type Leaving = Omit<Move, "copy"> & { readonly ofSource: Placing; readonly ofCopy: Placing };

/** Makes the copy nobody's but the partner's, and the partner nobody's here. */
async function leave(
  target: Target,
  there: Target,
  { partner, address, ofSource, ofCopy }: Leaving,
): Promise<void> {
  const move_id = ofCopy.placed.move_id ?? uuid7();
  await onControlPlane(there, async (plane) => {
    await closeOthers(plane, partner, target.settings.publicUrl);
    if (ofCopy.placed.move_id === undefined)
      await plane.append([placedAs(partner, { place: "leaving", move_id }, ofCopy.revision)]);
  });
  await failpoint("move_partner.others_closed");
  await onControlPlane(target, ({ append }) =>
    // At this revision: somebody may have reopened it meanwhile.
    append([placedAs(partner, { place: "elsewhere", address, move_id }, ofSource.revision)]),
  );
}

/** Everybody else goes on living where the copy was made from. */
async function closeOthers(
  { directory, append }: Work,
  partner: string,
  address: string | undefined,
): Promise<void> {
  const others = directory
    .partners()
    .filter(({ place }) => place?.state !== "elsewhere")
    .map(({ partner_id }) => partner_id)
    .filter((id) => id !== partner && id !== operator.partner_id);
  const place: Place = { place: "elsewhere", ...(address !== undefined && { address }) };
  for (let from = 0; from < others.length; from += maxAppends) {
    await failpoint("move_partner.others");
    await append(others.slice(from, from + maxAppends).map((id) => placedAs(id, place, "any")));
  }
}

/** Compares what both have of the partner, and shows it. Throws CopyRefused while a process uses the copy. */
async function isWhole(
  target: Target,
  copy: string,
  partner: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { from, to } = endsOf("postgres", copy, target);
  const rows: string[][] = [];
  const differences: string[] = [];
  for (const namespace of namespaces) {
    const source = await from.source(namespace, { servicesMayRun: true });
    try {
      const other = await to.source(namespace, { servicesMayRun: false });
      try {
        const logs = { source: source.log, copy: other.log };
        const compared = await comparePartner(logs, partner, signal);
        rows.push(...rowsOf(namespace, compared.source, compared.copy));
        if (compared.difference !== undefined)
          differences.push(`${namespace}: ${compared.difference}`);
      } finally {
        await other.close();
      }
    } finally {
      await source.close();
    }
  }
  sayTable([["log", "what", "here", "in the copy", "sha256"], ...rows]);
  for (const difference of differences) say(difference);
  if (differences.length > 0)
    say(
      `The copy has not all of ${partner}, which is still closed here: make another, or move-partner reopen.`,
    );
  return differences.length === 0;
}

function rowsOf(namespace: string, source: Sums, copy: Sums): string[][] {
  const categories = new Set([...source.categories.keys(), ...copy.categories.keys()]);
  const wallets = new Set([...source.balances.keys(), ...copy.balances.keys()]);
  const counts = (sum: { readonly streams: number; readonly events: number } | undefined) =>
    `${sum?.events ?? 0} events of ${sum?.streams ?? 0} streams`;
  const money = (sums: Sums, wallet: string): string => {
    const balance = sums.balances.get(wallet);
    return balance === undefined ? "-" : `${balance.available} available, ${balance.held} held`;
  };
  return [
    ...[...categories].map((category) => {
      const [here, there] = [source.categories.get(category), copy.categories.get(category)];
      const same = here?.sha256 === there?.sha256;
      return [namespace, category, counts(here), counts(there), same ? here!.sha256 : "DIFFERS"];
    }),
    ...[...wallets].map((wallet) => {
      return [namespace, wallet, money(source, wallet), money(copy, wallet), ""];
    }),
  ];
}
