import { randomBytes } from "node:crypto";
import type { MasterKey } from "@heliograph/contracts";

/** Gives a world another master key, the one before beside it, as a process has them while the key is rotated: whatever holds the key sees it. */
export function turnKey(masterKey: MasterKey): {
  /** As after the rotation: the one before is gone. */
  forget(): void;
  /** As it was. */
  turnBack(): void;
} {
  const before = Buffer.from(masterKey);
  randomBytes(32).copy(masterKey);
  const forget = (): void => void Object.assign(masterKey, { other: undefined });
  Object.assign(masterKey, { other: before });
  return {
    forget,
    turnBack() {
      before.copy(masterKey);
      forget();
    },
  };
}
