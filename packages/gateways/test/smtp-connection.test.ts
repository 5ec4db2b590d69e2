import { createServer, type AddressInfo, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { selfSignedCertificate } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { configured, createGateway, type Gateway } from "../src/index.ts";
import { smtpResult } from "../src/smtp/result.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

type Talk = {
  /** Counts connections from 1. */
  readonly connection: number;
  readonly encrypted: boolean;
  /** From here on the connection is encrypted, once the answer is out. */
  encrypt(): void;
};
/** What a server says to a line; nothing: it does not answer. `hang-up` ends the connection. */
type Script = (line: string, talk: Talk) => string | undefined;

const ehlo = (...words: readonly string[]): string =>
  ["mx.example", ...words]
    .map((word, at) => `250${at < words.length ? "-" : " "}${word}`)
    .join("\r\n");

/** What a server says that has nothing against it. */
function plainly(line: string): string {
  if (line.startsWith("EHLO")) return ehlo("SIZE 1000000");
  if (line === "DATA") return "354 go on";
  if (line.startsWith("AUTH")) return "235 welcome";
  if (line === "STARTTLS") return "502 5.5.1 no such command";
  return line === "QUIT" ? "221 bye" : "250 ok";
}

/** A server that answers line by line as it is told, and the lines that it heard: `2 MAIL FROM:…` on its second connection, with `tls` once it is encrypted. */
async function scripted(
  script: Script,
  credentials?: { key: string; cert: string },
  greeting = "220 mx.example",
) {
  const heard: string[] = [];
  const early: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;

  function serve(socket: Socket, connection: number, encrypted: boolean): void {
    let text = "";
    let inData = false;
    let turned = false;
    const data = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n"); end >= 0 && !turned; end = text.indexOf("\r\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        if (inData && line !== ".") continue;
        inData = line === "DATA";
        if (text !== "") early.push(line);
        heard.push(`${connection}${encrypted ? " tls" : ""} ${line}`);
        let turn = false;
        const said = script(line, { connection, encrypted, encrypt: () => (turn = true) });
        if (said === "hang-up") return void socket.destroy();
        if (said !== undefined) socket.write(`${said}\r\n`);
        if (!turn) continue;
        turned = true;
        socket.off("data", data);
        serve(new TLSSocket(socket, { isServer: true, ...credentials }), connection, true);
      }
    };
    socket.on("data", data).on("error", () => socket.destroy());
  }
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.write(`${greeting}\r\n`);
    serve(socket, ++connections, false);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { port, heard, early, connections: () => connections };
}

function gatewayTo(
  url: string,
  secrets: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, string>> = {},
): Gateway {
  const { masterKey } = toolsOf();
  const config = configOf({
    environment: "live",
    kind: "smtp",
    channel: "email",
    timeout_ms: 1_000,
    max_concurrent: 1,
    settings: { url, from: "shop@shop.example", ...more },
  });
  const gateway = createGateway("live", configured(config, secrets, masterKey), toolsOf());
  closing.push(() => gateway.close());
  return gateway;
}
const to = (address: string) => attemptOf(address, { content: { subject: "Hi", text: "Hello" } });

test("where encryption is required and the server does not offer it, refuses it or fails at it, nothing is sent and nobody signs in, and it may be tried again", async () => {
  for (const [why, script] of [
    ["not offered", (line) => (line.startsWith("EHLO") ? ehlo("AUTH PLAIN") : plainly(line))],
    [
      "refused",
      (line) => (line.startsWith("EHLO") ? ehlo("STARTTLS", "AUTH PLAIN") : plainly(line)),
    ],
    [
      "not spoken",
      (line) =>
        line.startsWith("EHLO")
          ? ehlo("STARTTLS", "AUTH PLAIN")
          : line === "STARTTLS"
            ? "220 ok\r\n250 what?"
            : plainly(line),
    ],
  ] as const satisfies readonly (readonly [string, Script])[]) {
    const server = await scripted(script);
    const gateway = gatewayTo(`smtp://shop@127.0.0.1:${server.port}?requireTLS=true`, {
      password: "secret",
    });
    const result = await gateway.send(to("ada@example.com"), never);
    if (result.type !== "rejected" && result.type !== "unavailable")
      throw new Error(`${why}: ${JSON.stringify(result)}`);
    expect(result.error, why).toMatchObject({ permanent: false });
    const words = server.heard.map((line) => line.split(" ")[1]);
    for (const secret of ["AUTH", "MAIL", "DATA"]) expect(words, why).not.toContain(secret);
  }
});

test("what stands behind the answer to STARTTLS in the same packet is no word of the encrypted connection", async () => {
  const certificate = await selfSignedCertificate();
  closing.push(() => certificate.remove());
  const server = await scripted(
    (line, { encrypted, encrypt }) => {
      if (line.startsWith("EHLO"))
        return encrypted ? ehlo("AUTH PLAIN") : ehlo("STARTTLS", "AUTH PLAIN");
      if (line !== "STARTTLS") return plainly(line);
      encrypt();
      // Whoever is in the middle can write this, and nothing that comes after it.
      return `220 ok\r\n${ehlo("AUTH LOGIN")}`;
    },
    { key: certificate.key, cert: certificate.certificate },
  );
  const url = `smtp://shop@127.0.0.1:${server.port}?requireTLS=true&tls.rejectUnauthorized=false`;
  const gateway = gatewayTo(url, { password: "secret" });
  const result = await gateway.send(to("ada@example.com"), never);
  const [signedIn] = server.heard.filter((line) => / AUTH /.test(line));
  if (signedIn !== undefined) expect(signedIn).toMatch(/^1 tls AUTH PLAIN /);
  expect(["accepted", "rejected", "unavailable"]).toContain(result.type);
  expect(
    server.heard.filter((line) => / MAIL /.test(line)).every((line) => line.startsWith("1 tls ")),
  ).toBe(true);
});

test("a connection on which something went wrong carries no further mail, and a mail that failed is not sent again by itself", async () => {
  for (const [why, bad, type] of [
    ["the server closes for reasons of its own", ["MAIL", "421 4.3.2 closing"], "rejected"],
    ["it says so at a recipient", ["RCPT", "421 4.3.2 closing"], "rejected"],
    ["an answer is missing", ["RCPT", undefined], "rejected"],
    ["the answer to the mail is missing", [".", undefined], "uncertain"],
    ["it hangs up", ["MAIL", "hang-up"], "rejected"],
    ["it hangs up before it hears of a mail", ["EHLO", "hang-up"], "rejected"],
  ] as const) {
    const server = await scripted((line, { connection }) =>
      connection === 1 && line.startsWith(bad[0]) ? bad[1] : plainly(line),
    );
    const gateway = gatewayTo(`smtp://127.0.0.1:${server.port}`);
    expect((await gateway.send(to("ada@example.com"), never)).type, why).toBe(type);
    expect(server.connections(), `${why}: once`).toBe(1);
    expect((await gateway.send(to("bea@example.com"), never)).type, why).toBe("accepted");
    const next = server.heard.filter((line) => /^\d MAIL /.test(line)).at(-1);
    expect(next, why).toMatch(/^2 /);
  }
});

test("a mail for which a connection that carried others is closed is not sent again by itself: the server may have it, and dispatch decides", async () => {
  for (const at of ["MAIL", "RCPT", "DATA"]) {
    let mails = 0;
    const server = await scripted((line) => {
      if (line.startsWith("MAIL")) mails++;
      return mails === 2 && line.startsWith(at) ? "hang-up" : plainly(line);
    });
    const gateway = gatewayTo(`smtp://127.0.0.1:${server.port}`);
    expect((await gateway.send(to("ada@example.com"), never)).type, at).toBe("accepted");
    expect((await gateway.send(to("bea@example.com"), never)).type, at).not.toBe("accepted");
    // A second connection would carry the mail once more.
    expect([server.connections(), mails], at).toEqual([1, 2]);
  }
});

test("after a mail that was refused, or answered by what is no answer, the next one begins once that is undone, or on a connection of its own", async () => {
  for (const said of ["550 5.1.1 nobody", "%PDF-1.7"]) {
    const server = await scripted((line) =>
      line.startsWith("RCPT") && line.includes("ada@") ? said : plainly(line),
    );
    const gateway = gatewayTo(`smtp://127.0.0.1:${server.port}`);
    const results = await Promise.all(
      ["ada@example.com", "bea@example.com"].map((each) => gateway.send(to(each), never)),
    );
    expect(results.map(({ type }) => type)).toEqual(["rejected", "accepted"]);
    expect(server.early, "nothing is said before the answer to what was said").toEqual([]);
    const words = server.heard.map((line) => line.split(" ").slice(0, 2).join(" "));
    const [first, again] = [words.indexOf("1 MAIL"), words.lastIndexOf("1 MAIL")];
    if (first !== again) expect(words.slice(first, again), said).toContain("1 RSET");
  }
});

test("what a server has against us is no fault of the recipient, and a later try, or another gateway, may do better", async () => {
  const no = "554 5.7.1 no service for you";
  const refusing =
    (word: string, said: string): Script =>
    (line) =>
      line.startsWith(word) ? said : line.startsWith("EHLO") ? ehlo("AUTH PLAIN") : plainly(line);
  for (const [why, script, greeting, code, permanent] of [
    ["its greeting", plainly, "554 no SMTP service here", "provider_unavailable", false],
    [
      "its answer to our name",
      (line) => (/^(?:EHLO|HELO)/.test(line) ? no : plainly(line)),
      undefined,
      "provider_unavailable",
      false,
    ],
    ["AUTH", refusing("AUTH", "535 5.7.8 no"), undefined, "gateway_authentication_failed", false],
    ["MAIL", refusing("MAIL", "530 5.7.0 no"), undefined, "gateway_authentication_failed", false],
    ["a size", refusing("MAIL", "552 5.3.4 too big"), undefined, "content_rejected", true],
  ] as const satisfies readonly (readonly [
    string,
    Script,
    string | undefined,
    string,
    boolean,
  ])[]) {
    const { port } = await scripted(script, undefined, greeting);
    const url = `smtp://shop@127.0.0.1:${port}`;
    const result = await gatewayTo(url, { password: "secret" }).send(to("ada@example.com"), never);
    expect(result, why).toMatchObject({ type: "rejected", error: { code, permanent } });
    const { error } = result as Extract<typeof result, { type: "rejected" }>;
    expect(error.class, why).not.toBe("recipient");
  }
});

test("what is said of all mail, in answer to a recipient or not, is no word of this recipient alone", () => {
  const refused = (command: string, response: string) =>
    smtpResult(
      "mail-1",
      { responseCode: Number(response.slice(0, 3)), command, response },
      { begun: command === "DATA", aborted: false },
    );
  for (const [command, response, code] of [
    ["RCPT TO", "421 4.3.2 closing", "provider_unavailable"],
    ["RCPT TO", "530 5.7.0 sign in first", "gateway_authentication_failed"],
    ["MAIL FROM", "550 5.7.1 blocked", "provider_rejected"],
    ["DATA", "554 5.7.1 spam", "content_rejected"],
    ["DATA", "552 5.2.2 <ada@x.example> mailbox full", "mailbox_full"],
    ["DATA", "552 5.3.4 too big", "content_rejected"],
    ["DATA", "552 (5.2.2@x.example) too big", "content_rejected"],
  ] as const) {
    const result = refused(command, response);
    expect(result, response).toMatchObject({ type: "rejected", error: { code } });
    expect(result, response).not.toHaveProperty("thisRecipient");
  }
});

test("that the machine which sends stands on a list is the gateway's fault, whichever provider says it, and in answer to what", () => {
  const refused = (command: string, response: string) =>
    smtpResult(
      "mail-1",
      { responseCode: Number(response.slice(0, 3)), command, response },
      { begun: command === "DATA", aborted: false },
    );
  const error = { code: "gateway_block_listed", class: "gateway", permanent: false };
  for (const response of [
    "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
    "450 4.7.1 Client host [192.0.2.1] blocked using bl.spamcop.net; Blocked - see https://www.spamcop.net/bl.shtml?192.0.2.1",
    "550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.1 (AS16012611)",
    "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/",
    "550 5.7.511 Access denied, banned sender[192.0.2.1]",
    "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).",
    "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html",
    "550 5.7.1 Mail from IP 192.0.2.1 was rejected due to listing in Spamhaus SBL. For details please see http://www.spamhaus.org/query/bl?ip=192.0.2.1",
    "550 rejected because 192.0.2.1 is in a black list at dnsbl.example",
    "550 5.7.1 Rejected: 2001:db8::1 listed at zen.spamhaus.org",
    "554 5.7.1 Service unavailable; Client host [mail.example] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation",
    "550 JunkMail rejected - mail.example [192.0.2.1] is in an RBL: https://www.spamhaus.org",
    "421 comcast.example 192.0.2.1 found on one or more DNSBLs, see http://postmaster.comcast.net/smtp-error-codes.php",
  ])
    for (const command of ["RCPT TO", "DATA", "MAIL FROM", "CONN"]) {
      const result = refused(command, response);
      expect(result, `${command}: ${response}`).toMatchObject({ type: "rejected", error });
      expect(result, response).not.toHaveProperty("thisRecipient");
    }
  // A list of names, of what is in the mail or of one recipient's own is another matter, and an address may be told beside anything.
  for (const [response, code] of [
    [
      "554 5.7.1 <ada@x.example>: Sender address rejected: blocked using dbl.spamhaus.org",
      "policy",
    ],
    ["550 5.7.1 This mail has a URL that is on a block list (192.0.2.1)", "policy"],
    ["550 5.7.1 The sender is on the block list of this recipient", "policy"],
    ["550 5.1.1 [192.0.2.1] User unknown in a block list free table", "recipient"],
    ["550 5.1.1 <ada@x.example> no such user here (192.0.2.1)", "recipient"],
    ["550 5.7.1 192.0.2.1 has no PTR record", "policy"],
  ] as const)
    expect(refused("RCPT TO", response), response).toMatchObject({
      error: { code: `${code}_rejected` },
    });
  expect(refused("RCPT TO", "451 4.7.1 [192.0.2.1] greylisted")).toMatchObject({
    error: { code: "greylisted" },
  });
});

test("a mail that is larger than the server takes, files in Base64 and all, is refused before any of it is sent", async () => {
  const server = await scripted(plainly);
  const gateway = gatewayTo(`smtp://127.0.0.1:${server.port}`);
  const withFile = (bytes: number) =>
    gateway.send({ ...to("ada@example.com"), files: [{ content: Buffer.alloc(bytes) }] }, never);
  expect(await withFile(740_000)).toMatchObject({
    type: "rejected",
    error: { code: "content_rejected", class: "content", permanent: true },
  });
  expect(server.heard.filter((line) => /MAIL|DATA/.test(line))).toEqual([]);
  expect((await withFile(720_000)).type).toBe("accepted");
  expect(server.heard.find((line) => line.includes("MAIL"))).toMatch(/SIZE=98\d{4}$/);
});

test("a mail that a server put off comes back from the same sender under the same name, also after a call of unknown outcome, and another's try has its own", async () => {
  const said = [
    ["RCPT", "450 4.2.0 Greylisted"],
    [".", "hang-up"],
    [".", "250 ok"],
    [".", "250 ok"],
  ] as const;
  let call = 0;
  const names: string[] = [];
  const server = await scripted((line) => {
    const [word, answer] = said[call]!;
    return line.startsWith(word) ? answer : plainly(line);
  });
  const url = `smtp://127.0.0.1:${server.port}`;
  const gateway = gatewayTo(url, {}, { return_path_domain: "bounces.shop.example" });
  const results = [];
  for (const [attempt, firstPutOff] of [[1], [2, 1], [2, 1], [3]] as const) {
    const again = firstPutOff === undefined ? {} : { firstPutOff };
    const result = await gateway.send({ ...to("ada@example.com"), attempt, ...again }, never);
    results.push(result.type);
    if (result.type === "accepted") names.push(result.providerMessageId.split("-")[2]!);
    call++;
  }
  expect(results).toEqual(["rejected", "uncertain", "accepted", "accepted"]);
  const [first, second, third, fourth] = server.heard.flatMap(
    (line) => /MAIL FROM:<([^>]+)>/.exec(line)?.[1] ?? [],
  );
  expect([second, third]).toEqual([first, first]);
  expect(fourth).not.toBe(first);
  expect(names).toEqual(["1", "3"]);
});
