import { once } from "node:events";
import { connect, createServer, type Socket, type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { networkLink, until, type NetworkLink, type NetworkWeather } from "../src/index.ts";

let link: NetworkLink;
let target: AddressInfo;
const accepted = new Set<Socket>();
const server = createServer((socket) => {
  accepted.add(socket);
  socket.on("error", () => undefined).on("close", () => accepted.delete(socket));
  socket.on("data", (piece) => socket.write(piece));
});
beforeEach(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  target = server.address() as AddressInfo;
});
afterEach(async () => {
  await link.close();
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function open(weather: Partial<NetworkWeather> = {}, random?: () => number): Promise<void> {
  link = await networkLink({ target: target.port, ...(random && { random }) });
  link.weather(weather);
}
async function dial(): Promise<Socket & { heard(): string }> {
  const socket = connect({ port: link.port, host: "127.0.0.1", noDelay: true });
  let heard = "";
  socket.setEncoding("utf8").on("data", (text: string) => (heard += text));
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return Object.assign(socket, { heard: () => heard });
}
/** Park and Miller's generator, enough for a test. */
function seeded(): () => number {
  let state = 1;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}
/** Says the words one by one, each when the one before has come back. */
async function talk(socket: Socket & { heard(): string }, words: readonly string[]): Promise<void> {
  let said = socket.heard();
  for (const word of words) {
    socket.write(word);
    said += word;
    await until(() => socket.heard() === said, { what: `${word} comes back` });
  }
}

test("everything arrives whole, however much is lost on the way", async () => {
  await open({ loss: 0.2 }, seeded());
  const socket = await dial();
  const text = Array.from({ length: 40_000 }, (_, index) => `${index}\n`).join("");
  socket.write(text);
  await until(() => socket.heard().length === text.length, { what: "it is back" });
  expect(socket.heard()).toBe(text);
  expect(link.seen.lost).toBeGreaterThan(0);
  socket.destroy();
});

test("a delay is waited for there and back, and before the first word once more", async () => {
  await open({ delayMs: 60 });
  const startedAt = performance.now();
  const socket = await dial();
  await talk(socket, ["one"]);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(3 * 60);
  const secondAt = performance.now();
  await talk(socket, ["two"]);
  expect(performance.now() - secondAt).toBeGreaterThanOrEqual(2 * 60 - 2);
  socket.destroy();
});

test("the end of one side reaches the other after what was said before it", async () => {
  await open({ delayMs: 30 });
  const socket = await dial();
  socket.end("last words");
  await once(socket, "close");
  expect(socket.heard()).toBe("last words");
  await until(() => accepted.size === 0, { what: "the server's side is closed" });
});

test("a reset is seen by both sides", async () => {
  await open();
  const socket = await dial();
  await talk(socket, ["one"]);
  link.weather({ resets: 1 });
  socket.write("two");
  await until(() => socket.errored !== null, { what: "the client's side is reset" });
  expect(socket.errored).toMatchObject({ code: "ECONNRESET" });
  await until(() => accepted.size === 0, { what: "the server's side is gone too" });
  expect(link.seen.resets).toBe(1);
});

test("a silent connection stays open and passes nothing, while new ones are fine", async () => {
  await open();
  const socket = await dial();
  await talk(socket, ["one"]);
  link.weather({ silences: 1 });
  socket.write("two");
  await until(() => link.seen.silences === 1);
  link.weather({});
  socket.write("three");
  const other = await dial();
  await talk(other, ["four"]);
  expect([socket.heard(), socket.destroyed]).toEqual(["one", false]);
  socket.destroy();
  other.destroy();
  await until(() => accepted.size === 1, { what: "the server hears of the other's end alone" });
});

test("the same source of chance gives the same traffic the same fate", async () => {
  const fates: unknown[] = [];
  for (let round = 0; round < 2; round++) {
    await open({ loss: 0.2 }, seeded());
    const socket = await dial();
    await talk(socket, ["a", "b", "c", "d"]);
    fates.push({ ...link.seen });
    socket.destroy();
    if (round === 0) await link.close();
  }
  expect(fates[0]).toEqual(fates[1]);
  expect(fates[0]).toMatchObject({ pieces: 8 });
});
