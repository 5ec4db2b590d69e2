import { createServer, type AddressInfo } from "node:net";

/** A message centre that does as little as it can, as a process of its own: it binds whoever comes and answers every submit with a number. */
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  let rest: Buffer = Buffer.alloc(0);
  let count = 0;
  socket.on("data", (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const answers: Buffer[] = [];
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
  });
});
server.listen(0, "127.0.0.1", () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
