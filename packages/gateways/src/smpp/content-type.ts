import type { Alphabet } from "./coding.ts";

/**
 * What a PDU is stored as. Which alphabet its octets are in only the gateway's settings say, and a message from a person has no id of the centre's: both go with the bytes,
 * so that they read the same whenever they are read.
 */
export const smppType = (alphabet: Alphabet, id: string): string =>
  `application/smpp; alphabet=${alphabet}; id=${id}`;

/** Throws for another type. */
export function readType(contentType: string): {
  readonly alphabet: Alphabet;
  readonly id: string;
} {
  const found = /^application\/smpp; alphabet=(gsm|latin1|ascii); id=([\w-]+)$/.exec(contentType);
  if (found === null) throw new Error("the type is not one of SMPP");
  return { alphabet: found[1] as Alphabet, id: found[2]! };
}
