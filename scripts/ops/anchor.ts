import { InvalidArgumentError } from "commander";

export type Anchor = { readonly position: bigint; readonly hash: string };

/** Reads `--anchor` and `--from`. Throws InvalidArgumentError. */
export function anchorOf(text: string): Anchor {
  const match = /^(\d{1,18}):([0-9a-f]{64})$/.exec(text);
  if (!match) throw new InvalidArgumentError("position and hash as an earlier run printed them");
  return { position: BigInt(match[1]!), hash: match[2]! };
}
