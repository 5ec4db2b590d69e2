import { PublicError, streamOf } from "@heliograph/contracts";
import type { Directory, Key } from "@heliograph/platform";
import { formatTime, parseTime } from "@heliograph/domain";
import { z } from "zod";
import {
  type Answer,
  appendPlatform,
  type Call,
  changeOnce,
  requireMatch,
  TimeInput,
  untilInEffect,
} from "@heliograph/api";
import { decideRotate, evolve, type KeyState, type RotateRefusal } from "../decide-key.ts";
import { requireWithin } from "../grant.ts";
import { issueKey, shownKey } from "../issue-key.ts";
import { callerOf, keyView } from "./key-view.ts";

/** One day: as long as an earlier webhook secret signs, when nothing is said. */
const defaultOverlapSeconds = 86_400;
/** A week: long enough for the next release of whatever holds the key. */
const maxOverlapSeconds = 604_800;

export const RotateKey = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(maxOverlapSeconds)
      .optional()
      .meta({
        description: `How long the old key works beside the new one; ${defaultOverlapSeconds} when left out, 0 ends it at once.`,
      }),
    expires_at: TimeInput.refine(
      (text) => (parseTime(text) ?? Infinity) > Date.now(),
      "must lie in the future",
    )
      .optional()
      .meta({
        description:
          "When the new key ends, when not as the old one would have; not later than the key that asks.",
        example: "2099-01-01T00:00:00Z",
      }),
  })
  .meta({ id: "RotateKey" });

/**
 * Gives a key a successor with its name, scopes and addresses. The successor is recorded first and opens nothing before the old key's own stream names it, so of two rotations at once
 * one wins, and what a crash leaves behind is no key. Throws `insufficient_scope` where the caller could not issue such a key, and `conflict` where there is nothing to rotate.
 */
export async function rotate(
  call: Call<z.infer<typeof RotateKey>, unknown>,
  key: Key,
  tagOf: (key: KeyState) => string,
): Promise<Answer> {
  const { overlap_seconds: overlapSeconds = defaultOverlapSeconds, expires_at: end } = call.body;
  const { directory, platformLog } = call.context;
  const { key_id: id, name, scopes, allowed_cidrs, environment } = key;
  const expires_at = end === undefined ? key.expires_at : formatTime(parseTime(end)!);
  const terms = {
    scopes,
    ...(allowed_cidrs !== undefined && { allowed_cidrs }),
    ...(expires_at !== undefined && { expires_at }),
  };
  const successor = issueKey(call, "successor", key.partner_id, environment, {
    name,
    ...terms,
    replaces: id,
  });
  const successorId = successor.data.key_id;
  const now = Date.now();
  const decide = (state: KeyState | undefined) => {
    const predecessors = lineBefore(directory, state);
    const rotation = { successorId, overlapSeconds, predecessors, now };
    const decision = decideRotate(state, callerOf(call), rotation);
    if ("refusal" in decision) return { refusal: refused(decision.refusal) };
    requireMatch(call, tagOf(state!));
    return decision;
  };
  // An earlier try that came through has changed what these look at.
  if (directory.keyById(successorId) === undefined) {
    requireWithin(call.key, terms);
    const early = decide(key);
    if ("refusal" in early) throw early.refusal;
  }
  const { repeated } = await appendPlatform(call, [successor.append]);
  const { position, state } = await changeOnce<KeyState>(call, {
    log: platformLog.forPartner(key.partner_id),
    stream: streamOf("key", id),
    name: `rotate ${id}`,
    correlation: id,
    evolve,
    decide,
  });
  await untilInEffect(call, position);
  const issued = directory.keyById(successorId);
  if (issued === undefined || state?.expires_at === undefined)
    throw new Error(`the rotation of ${id} is not in effect`);
  return {
    status: 201,
    body: {
      ...keyView(issued),
      key: shownKey(call, successor, repeated),
      previous_key_expires_at: state.expires_at,
    },
    position,
  };
}

/** The keys whose places a key took, nearest first. */
function lineBefore(directory: Directory, key: KeyState | undefined): readonly Key[] {
  const line: Key[] = [];
  let before = directory.keyById(key?.replaces ?? "");
  while (before !== undefined) {
    line.push(before);
    before = directory.keyById(before.replaces ?? "");
  }
  return line;
}

function refused(refusal: RotateRefusal): PublicError {
  switch (refusal.type) {
    case "not_found":
      return new PublicError("not_found", "There is no such key.");
    case "ended":
      return new PublicError("conflict", `The key is ${refusal.end}: issue another one.`);
    case "replaced":
      return new PublicError("conflict", `${refusal.by} took its place: rotate that one.`);
    case "third":
      return new PublicError(
        "conflict",
        `The key before it works until ${refusal.until}. Revoke that one first, or rotate with overlap_seconds 0, which ends this one at once.`,
      );
  }
}
