import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from "node:crypto";
import type { Environment } from "@heliograph/contracts";

/** Keys as they are stored: AES-256-GCM under the master key, bound to the environment and to the key's id, so that no row can stand in for another. */
export type Wrapping = {
  wrap(id: string, bytes: Buffer): Buffer;
  /** Throws when another master key wrapped it, or the row was changed. */
  unwrap(id: string, wrapped: Buffer): KeyObject;
};

const nonceBytes = 12;
const tagBytes = 16;

export function openWrapping(masterKey: Buffer, environment: Environment): Wrapping {
  // Given as bytes it is imported for each use, which takes three times the cipher's own time.
  const master = createSecretKey(masterKey);
  const bound = (id: string): Buffer => Buffer.from(`${environment}|${id}`);
  return {
    wrap(id, bytes) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", master, nonce).setAAD(bound(id));
      return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    },
    unwrap(id, wrapped) {
      const tagAt = wrapped.length - tagBytes;
      const decipher = createDecipheriv("aes-256-gcm", master, wrapped.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      })
        .setAAD(bound(id))
        .setAuthTag(wrapped.subarray(tagAt));
      const bytes = Buffer.concat([
        decipher.update(wrapped.subarray(nonceBytes, tagAt)),
        decipher.final(),
      ]);
      return createSecretKey(bytes);
    },
  };
}
