import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from "node:crypto";
import { keysOf, openedByOne, type Environment, type MasterKey } from "@heliograph/contracts";

/** Keys as they are stored: AES-256-GCM under the master key, bound to the environment and to the key's id, so that no row can stand in for another. */
export type Wrapping = {
  wrap(id: string, bytes: Buffer): Buffer;
  /** Throws when another master key wrapped it, or the row was changed. */
  unwrap(id: string, wrapped: Buffer): KeyObject;
};

const nonceBytes = 12;
const tagBytes = 16;

export function openWrapping(masterKey: MasterKey, environment: Environment): Wrapping {
  // Given as bytes it is imported for each use, which takes three times the cipher's own time.
  const masters = keysOf(masterKey).map((key) => createSecretKey(key));
  const bound = (id: string): Buffer => Buffer.from(`${environment}|${id}`);
  return {
    wrap(id, bytes) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", masters[0]!, nonce).setAAD(bound(id));
      return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    },
    unwrap(id, wrapped) {
      const tagAt = wrapped.length - tagBytes;
      const open = (key: KeyObject): KeyObject => {
        const decipher = createDecipheriv("aes-256-gcm", key, wrapped.subarray(0, nonceBytes), {
          authTagLength: tagBytes,
        })
          .setAAD(bound(id))
          .setAuthTag(wrapped.subarray(tagAt));
        const sealed = wrapped.subarray(nonceBytes, tagAt);
        return createSecretKey(Buffer.concat([decipher.update(sealed), decipher.final()]));
      };
      return openedByOne(masters, open);
    },
  };
}
