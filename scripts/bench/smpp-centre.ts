import { createServer, type AddressInfo } from "node:net";

/** Submits of all connections, and when the first and the last came. */
const seen = { count: 0, first: 0, last: 0 };

/** A message centre that does as little as it can, as a process of its own: it binds whoever comes and answers every submit with a number. */
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  let rest: Buffer = Buffer.alloc(0);
  let count = 0;
  socket.on("data", (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const answers: Buffer[] = [];
    const before = count;
    while (rest.length >= 16) {
      const length = rest.readUInt32BE(0);
      if (rest.length < length) break;
      const id = Buffer.from(`${rest.readUInt32BE(4) === 0x4 ? ++count : "centre"}\0`);
      const head = Buffer.alloc(16);
      head.writeUInt32BE(16 + id.length, 0);
      head.writeUInt32BE(rest.readUInt32BE(4) + 0x8000_0000, 4);
      head.writeUInt32BE(rest.readUInt32BE(12), 12);
      answers.push(head, id);
      rest = rest.subarray(length);
    }
    if (answers.length > 0) socket.write(Buffer.concat(answers));
    if (count === before) return;
    if (seen.count === 0) seen.first = performance.now();
    seen.count += count - before;
    seen.last = performance.now();
  });
});
process.on("message", () => process.send?.({ count: seen.count, ms: seen.last - seen.first }));
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
