import { headerBytes } from "./codec.ts";

/** The longest there is: a `message_payload` of 64 KB, and room for the rest. What is longer is no SMPP. */
const maxFrameBytes = 70_000;

/** Cuts a stream into frames. Gives undefined when the stream is no SMPP any more: where the next frame begins nobody can know then. */
export function createFrames(): (chunk: Buffer) => readonly Buffer[] | undefined {
  let rest: Buffer | undefined;
  return (chunk) => {
    let bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    const frames: Buffer[] = [];
    while (bytes.length >= 4) {
      const length = bytes.readUInt32BE(0);
      if (length < headerBytes || length > maxFrameBytes) return undefined;
      if (bytes.length < length) break;
      frames.push(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    // A long frame in many small chunks would be copied at each of them; 70 KB in chunks of 64 KB is two.
    if (bytes.length > 0) rest = bytes;
    return frames;
  };
}
