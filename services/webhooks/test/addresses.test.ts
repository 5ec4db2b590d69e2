import { createServer as createTlsServer } from "node:https";
import { createServer, type Server, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createAddressGuard, createDial, dialTarget } from "@heliograph/api";
import { failure } from "../src/result.ts";
import { certificate, privateKey } from "./certificate.ts";

describe("the address guard", () => {
  const guard = createAddressGuard([]);

  it.each([
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "::7f00:1",
    "4000::1",
    "1fff:ffff::1",
    "a000::1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "5f00::1",
    "localhost",
    "",
    "1.2.3.4.5",
  ])("refuses %s", (address) => {
    expect(guard(address)).toBeTypeOf("string");
  });

  it.each(["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])(
    "lets %s pass",
    (address) => {
      expect(guard(address)).toBeUndefined();
    },
  );

  it("lets what is allowed pass, in the mapped form too, and nothing beside it", () => {
    const local = createAddressGuard(["127.0.0.0/8", "fd00::/8"]);
    for (const address of ["127.0.0.1", "::ffff:127.0.0.1", "fd12::1"])
      expect(local(address)).toBeUndefined();
    for (const address of ["10.0.0.1", "::1", "fc00::1"])
      expect(local(address)).toBeTypeOf("string");
  });
});

describe("dialing", () => {
  const dial = (
    url: string,
    allow: string[],
    resolve: (name: string) => readonly string[] = () => [],
  ) =>
    createDial({
      guard: createAddressGuard(allow),
      resolve: async (name) => resolve(name),
      timeoutMs: 1_000,
    })(dialTarget(new URL(url)), {}).then(
      (socket) => {
        const address = socket.remoteAddress;
        socket.destroy();
        return address;
      },
      (error: Error & { code?: string }) => error.code ?? error.message,
    );

  it.each([
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::1]/",
    "https://169.254.169.254/",
  ])("refuses the literal %s", async (url) => expect(await dial(url, [])).toBe("address_refused"));

  it("refuses a name that resolves to private addresses, and dials only the public one of several", async () => {
    expect(await dial("http://rebind.example/", [], () => ["127.0.0.1", "10.0.0.1"])).toBe(
      "address_refused",
    );
    const server = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const dialed = await dial(`http://mixed.example:${port}/`, ["127.0.0.1/32"], () => [
      "10.0.0.1",
      "127.0.0.2",
      "127.0.0.1",
    ]);
    expect(dialed).toBe("127.0.0.1");
    await new Promise((resolve) => server.close(resolve));
  });

  it("asks the resolver once for one connection, so that a second answer cannot change the address", async () => {
    let asked = 0;
    await dial("http://rebind.example:1/", ["127.0.0.0/8"], () =>
      asked++ === 0 ? ["127.0.0.1"] : ["169.254.169.254"],
    );
    expect(asked).toBe(1);
  });

  const reason = (error: Error): string => {
    const result = failure(error);
    return result.type === "error" ? `${result.code}: ${result.message}` : "";
  };
  const why = async (server: Server, addresses: readonly string[]): Promise<string> => {
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const told = await createDial({
      guard: createAddressGuard(["127.0.0.0/8", "::1/128"]),
      resolve: async () => addresses,
      timeoutMs: 2_000,
    })(dialTarget(new URL(`https://receiver.example:${port}/`)), {}).then(
      () => "connected",
      reason,
    );
    await new Promise((resolve) => server.close(resolve));
    return told;
  };

  it.each([
    ["before", ["127.0.0.1", "127.0.0.2"]],
    ["behind", ["127.0.0.2", "127.0.0.1"]],
  ])(
    "tells what is wrong with the certificate %s an address that refuses",
    async (_, addresses) => {
      const server = createTlsServer({ cert: certificate, key: privateKey });
      expect(await why(server, addresses)).toMatch(/^tls_failed: self-signed certificate/);
    },
  );

  it("calls a receiver that hangs up inside the handshake a fault of TLS", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.end()));
    expect(await why(server, ["127.0.0.1"])).toMatch(/^tls_failed: /);
  });

  it("cuts off a receiver that sends session tickets without end", async () => {
    const server = createTlsServer({ cert: certificate, key: privateKey });
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
    );
    const socket = await createDial({
      guard: createAddressGuard(["127.0.0.1/32"]),
      resolve: async () => ["127.0.0.1"],
      timeoutMs: 2_000,
      ca: certificate,
    })({ host: "sink.test", port, secure: true }, {});
    const told = new Promise((resolve) => socket.once("error", (error) => resolve(reason(error))));
    for (let ticket = 0; ticket < 32; ticket++) socket.emit("session", Buffer.from("ticket"));
    expect(socket.destroyed).toBe(false);
    for (let ticket = 0; ticket < 3; ticket++) socket.emit("session", Buffer.from("ticket"));
    expect(await told).toBe("tls_failed: more than 32 session tickets");
    await new Promise((resolve) => server.close(resolve));
  });

  it("does not tell to which private addresses a name leads", async () => {
    const told = await createDial({
      guard: createAddressGuard([]),
      resolve: async () => ["10.1.2.3"],
      timeoutMs: 1_000,
    })(dialTarget(new URL("https://inside.example/")), {}).then(() => "connected", reason);
    expect(told).toBe("address_refused: inside.example has no public address");
  });
});
