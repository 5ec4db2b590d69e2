import { type EventData, failpoint, streamOf, uuid7 } from "@heliograph/contracts";
import type { Append, EventLog, Position } from "@heliograph/log";
import { operator } from "@heliograph/platform";
import { serverOf } from "@heliograph/runtime";
import { actor, onControlPlane, type Work } from "../control-plane.ts";
import { OpsError } from "../error.ts";
import type { Target } from "../target.ts";
import { say } from "./say.ts";
import { carryKeys, type Servers, underWay, undone } from "./under-way.ts";
import { type Closing, compareWhole, type Pair, tailOf, type Whole } from "./whole.ts";

type Placed = EventData<"PartnerPlaced">;
type Place = Omit<Placed, "partner_id" | "placed_at">;
/** Where a partner lives by a platform log, and the revision at which that stands. */
type Placing = {
  readonly placed: Place;
  readonly revision: number;
  /** Of the event that says so. */
  readonly position: Position | undefined;
  /** When it was closed last, epoch ms; 0 where it never was. */
  readonly closedAt: number;
};

/** Events of one call to the log. */
const maxAppends = 500;

/** Where the partner lives. Throws OpsError where there is no such partner. */
async function placingOf(log: EventLog, partner: string, where: string): Promise<Placing> {
  const events = await log.readStream(streamOf("partner", partner));
  const last = events.at(-1);
  if (last === undefined) throw new OpsError(`there is no partner ${partner} ${where}`);
  const said = events.findLast((each) => each.type === "PartnerPlaced");
  const placed = (said?.data as Placed | undefined) ?? { place: "here" as const };
  const closing = events.findLast(
    ({ type, data }) => type === "PartnerPlaced" && (data as Placed).place === "leaving",
  );
  const closedAt = closing === undefined ? 0 : closing.recordedAt;
  return { placed, revision: last.revision, position: said?.position, closedAt };
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
    say(
      "Wait a minute and until no consumer lags (projections), end the processes, then copy all databases and files as of one moment.",
    );
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
  const hasLeft = ofSource.placed.place === "elsewhere";
  if (hasLeft && ofCopy.placed.move_id !== ofSource.placed.move_id)
    throw new OpsError(`${partner} has moved already, and not to this copy`);
  if (!hasLeft && ofCopy.placed.place === "here")
    throw new OpsError(`the copy was made before ${partner} was closed: make another`);
  if (ofCopy.placed.place === "elsewhere")
    throw new OpsError(`the copy is of another move of ${partner}, or was made after it had left`);
  if (ofCopy.placed.place === "leaving") {
    const servers: Servers = { source: target.server, copy: there.server };
    const pair: Pair = { target, copy, partner, signal };
    const { closedAt, position } = ofSource;
    const whole = await proved(pair, servers, { closedAt, left: hasLeft ? position : undefined });
    if (whole === undefined) return lacking(partner, hasLeft);
    if (!hasLeft && !(await leave(pair, there, whole, { address, ofSource, ofCopy }))) return false;
    await carryKeys(servers, partner);
    await failpoint("move_partner.left");
    await onControlPlane(there, async ({ log, append }) => {
      const { placed, revision } = await placingOf(log, partner, "in the copy");
      await append([placedAs(partner, { ...placed, place: "here" }, revision)]);
    });
  }
  say(`${partner} lives in the copy. Start it, and send its API's callers to ${address}.`);
  return true;
}

/** Whether nothing of the partner is under way, and the copy has all of it. Throws OpsError where something is under way, or was done after the copy was made. */
async function proved(pair: Pair, servers: Servers, closing: Closing): Promise<Whole | undefined> {
  const found = await underWay(servers, pair.partner);
  if (found !== undefined) throw new OpsError(found);
  const whole = await compareWhole(pair, closing);
  const open = whole && (await undone(servers, whole));
  if (open !== undefined) throw new OpsError(open);
  return whole;
}

/** Says how a move goes on whose copy lacks what was listed. Always false: the partner does not live in the copy. */
function lacking(partner: string, hasLeft: boolean): false {
  const state = hasLeft
    ? `${partner} has left here, and the copy does not let it in without the above: nobody acts for it.`
    : `The copy has not all of ${partner}, which is still closed here: make another, move-partner reopen, or bring it over.`;
  say(`${state} To bring over what came after the copy, stop the processes here, then for live and sandbox
  npm run ops -- copy-log --namespace <namespace> --from postgres --to <the copy> --once
and run this command again. What the copy has and is not here, or is another event, cannot be brought over.`);
  return false;
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

type Leaving = Pick<Move, "address"> & { readonly ofSource: Placing; readonly ofCopy: Placing };

/** Makes the copy nobody's but the partner's, and the partner nobody's here. False where the copy lacks what came meanwhile. */
async function leave(
  pair: Pair,
  there: Target,
  whole: Whole,
  { address, ofSource, ofCopy }: Leaving,
): Promise<boolean> {
  const { target, partner } = pair;
  const move_id = ofCopy.placed.move_id ?? uuid7();
  await onControlPlane(there, async (plane) => {
    await closeOthers(plane, partner, target.settings.publicUrl);
    if (ofCopy.placed.move_id === undefined)
      await plane.append([placedAs(partner, { place: "leaving", move_id }, ofCopy.revision)]);
  });
  await failpoint("move_partner.others_closed");
  // That took its time, and from the next step on there is no way back.
  const before = await tailOf(pair, whole);
  if (before.behind.length > 0) return lacking(partner, false);
  await onControlPlane(target, ({ append }) =>
    // At this revision: somebody may have reopened it meanwhile.
    append([placedAs(partner, { place: "elsewhere", address, move_id }, ofSource.revision)]),
  );
  const after = await tailOf(pair, before.whole);
  return after.behind.length === 0 || lacking(partner, true);
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
