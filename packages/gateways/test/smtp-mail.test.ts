import { deterministicId, masterKeyOf } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { mailTaker, nameOfPart, parseInbound } from "../src/index.ts";
import { mailIdOf } from "../src/smtp/mail-id.ts";
import { readableBeginning } from "../src/smtp/mail.ts";
import { smtpResult } from "../src/smtp/result.ts";
import { returnPathOf } from "../src/smtp/return-path.ts";
import {
  domain,
  gateway,
  isPerson,
  local,
  mailId,
  masterKey,
  messageId,
  person,
  read,
} from "./mail-reader.ts";
import { complaintReport, deliveryReport, writtenMail } from "./mails.ts";

const failed = async (status: string, diagnostic?: string, to?: string) => {
  const fields = ["Action: failed", `Status: ${status}`];
  if (diagnostic !== undefined) fields.push(`Diagnostic-Code: ${diagnostic}`);
  const [item] = await read(deliveryReport({ fields }), to);
  if (item?.kind !== "report") throw new Error(JSON.stringify(item));
  return item.report;
};

test("a return path fits a local part, in one case, and only the one that was given out is taken", () => {
  expect(local).toMatch(/^[a-z0-9-]{1,64}$/);
  const takes = (address: string, domainOf = domain) =>
    mailTaker(
      [gateway],
      { address: `${address}@${domainOf}`, local: address, domain: domainOf },
      masterKey,
      (_, own) => own === "sales@shop.example",
    )?.address;
  expect(takes(local)).toBe(`${local}@${domain}`);
  expect(takes(local.toUpperCase()), "servers on the way fold cases").toBe(`${local}@${domain}`);
  const last = local.at(-1) === "0" ? "1" : "0";
  expect(takes(local.slice(0, -1) + last)).toBeUndefined();
  expect(takes(local.replace("-2-", "-3-")), "of another attempt").toBeUndefined();
  expect(takes(local, "shop.example")).toBeUndefined();
  expect(takes("nobody")).toBeUndefined();
  expect(takes("help", "shop.example"), "where answers go").toBe("Help@shop.example");
  expect(takes("Sales", "shop.example"), "a partner's").toBe("sales@shop.example");
  expect(takes("other", "shop.example")).toBeUndefined();
  const own = { ...gateway, settings: { ...gateway.settings, reply_to: `Help@${domain}` } };
  const help = { address: `help@${domain}`, local: "help", domain };
  const taken = mailTaker([own], help, masterKey, () => false)?.address;
  expect(taken, "where answers go to the same domain").toBe(`Help@${domain}`);
  const other = { ...gateway, gateway_id: deterministicId("gtw", "other") };
  const path = returnPathOf(masterKey, other.gateway_id, { messageId, attempt: 2 });
  expect(takes(path), "another gateway's").toBeUndefined();
  const assigned = mailTaker(
    [gateway, other],
    { address: "shop@shop.example", local: "shop", domain: "shop.example" },
    masterKey,
    (gatewayId) => gatewayId === other.gateway_id,
  );
  expect(assigned?.gateway, "a partner's, whatever another gateway sends as").toBe(other);
});

test("a return path of before a rotation of the master key is taken as long as both keys are given", () => {
  const address = { address: `${local}@${domain}`, local, domain };
  const takes = (key: Buffer) => mailTaker([gateway], address, key, () => false)?.address;
  const next = Buffer.alloc(32, 8);
  expect(takes(masterKeyOf(next, masterKey))).toBe(address.address);
  expect(takes(next)).toBeUndefined();
});

test("mail that came back is a bounce of the attempt that its return path names, with the server's words and without the address", async () => {
  const report = await failed("5.1.1", "smtp; 550 5.1.1 <ada@example.com>: no such user here");
  expect(report).toMatchObject({
    providerMessageId: mailId,
    messageId,
    status: "bounced",
    permanent: true,
    error: {
      code: "recipient_rejected",
      class: "recipient",
      permanent: true,
      provider: { name: "mail-1", code: "5.1.1" },
    },
    diagnostic: "550 5.1.1 <<recipient>>: no such user here",
  });
  const { diagnostic } = await failed(
    "5.1.1",
    'smtp; 550 <Ada.Lovelace@Example.COM> "a b"@x.example (cc: bob=x.example@[10.0.0.1]) unknown',
  );
  expect(diagnostic, "nor another spelling, nor another address").toBe(
    "550 <<recipient>> <recipient> (cc: <recipient>) unknown",
  );
  const refusal = { responseCode: 550, command: "RCPT TO", response: "550 <Ada@Example.COM>?" };
  const refused = smtpResult("mail-1", refusal, { begun: false, aborted: false });
  expect(refused, "nor where it is refused at once").toMatchObject({
    error: { code: "recipient_rejected", provider: { code: "550", text: "550 <<recipient>>?" } },
  });
  const [again] = await read(deliveryReport({ fields: ["Action: failed", "Status: 5.1.1"] }));
  expect(again).toMatchObject({ report: { eventId: report.eventId } });
});

test.each([
  ["5.1.1", undefined, "recipient_rejected", true],
  ["5.1.10", undefined, "recipient_rejected", true],
  ["5.2.1", undefined, "recipient_rejected", true],
  // A full mailbox, a policy and a route are no reason to write to nobody there again.
  ["5.2.2", "smtp; 552 5.2.2 over quota", "mailbox_full", true],
  ["5.7.1", "smtp; 550 5.7.1 blocked", "policy_rejected", true],
  ["5.4.4", undefined, "provider_rejected", true],
  ["5.4.1", "smtp; 550 5.4.1 Recipient address rejected", "recipient_rejected", true],
  ["5.0.0", "smtp; 550 (5.1.1@acme.example) Go away", "provider_rejected", true],
  ["5.3.4", undefined, "content_rejected", true],
  ["5.1.8", undefined, "invalid_sender", true],
  // The diagnostic says more than a status that says nothing.
  ["5.0.0", "smtp; 550 5.1.1 unknown", "recipient_rejected", true],
  ["5.0.0", "smtp; 550 No such user here", "recipient_rejected", true],
  ["5.0.0", "smtp; 550 Go away", "provider_rejected", true],
  ["5.0.0", undefined, "provider_rejected", true],
  // An address is at fault, and it may be the sender's.
  ["5.1.0", undefined, "provider_rejected", true],
  ["5.1.0", "smtp; 550 5.1.0 <shop@shop.example> sender rejected", "provider_rejected", true],
  ["5.1.0", "smtp; 550 5.7.1 blocked", "policy_rejected", true],
  ["5.1.0", "smtp; 550 5.1.0 No such user", "recipient_rejected", true],
  // The server gave up on what may be over.
  ["4.4.7", undefined, "recipient_deferred", false],
  ["4.2.2", "smtp; 452 4.2.2 over quota", "recipient_deferred", false],
] as const)(
  "a failure is final by the class of its status, and about the address by its subject: %s %s",
  async (status, diagnostic, code, permanent) => {
    const report = await failed(status, diagnostic);
    expect(report).toMatchObject({ status: "bounced", permanent, error: { code } });
    const isAboutAddress = code === "recipient_rejected";
    const { error } = report;
    expect(error!.class === "recipient" && error!.permanent).toBe(isAboutAddress);
  },
);

test.each([
  ["554 5.7.1 blocked for its reputation", "policy_rejected"],
  ["550 Relaying denied", "policy_rejected"],
  ["550 5.0.0 we do not like your reputation", "policy_rejected"],
  ["550 5.4.1 Recipient address rejected: Access denied", "recipient_rejected"],
  ["550 5.4.1 no route", "provider_rejected"],
  ["554 5.7.1 <ada@x.example>: Recipient address rejected: Access denied", "recipient_rejected"],
  ["554 5.7.1 <ada@x.example>: Recipient address rejected: no SPF", "policy_rejected"],
  ["552 5.2.2 over quota", "mailbox_full"],
  ["550 5.1.8 sender's domain not found", "invalid_sender"],
  ["550 5.1.1 nobody here; see our spam policy", "recipient_rejected"],
  ["550 No such user; see our spam policy", "recipient_rejected"],
  ["550 mailbox unavailable", "recipient_rejected"],
  // What a recipient is called says nothing.
  ["550 <policy@acme.example> rejected", "recipient_rejected"],
  ["550 <info@spamcop.example>: not here", "recipient_rejected"],
  ["550 ada@rbl.example no longer works here", "recipient_rejected"],
  ["550 (5.7.1@acme.example) rejected", "recipient_rejected"],
  ["550 <no such user@acme.example> blacklisted", "policy_rejected"],
])(
  "a refusal of a recipient is about the recipient only where it says so: %s",
  (response, code) => {
    const error = { responseCode: Number(response.slice(0, 3)), command: "RCPT TO", response };
    expect(smtpResult("mail-1", error, { begun: false, aborted: false })).toMatchObject({
      type: "rejected",
      error: { code },
      thisRecipient: true,
    });
  },
);

test("a warning is no failure, a report of nothing is told to an operator, and nothing is invented", async () => {
  const delayed = ["Action: delayed", "Status: 4.4.7", "Will-Retry-Until: tomorrow"];
  expect(await read(deliveryReport({ fields: delayed }))).toEqual([
    { kind: "ignored", what: "delayed" },
  ]);
  for (const action of ["relayed", "expanded"])
    expect(await read(deliveryReport({ fields: [`Action: ${action}`] }))).toMatchObject([
      { kind: "ignored" },
    ]);
  expect(
    await read(deliveryReport({ fields: ["Action: delivered", "Status: 2.0.0"] })),
  ).toMatchObject([{ kind: "report", report: { status: "delivered", providerMessageId: mailId } }]);
  expect(await read(deliveryReport({ fields: [] }))).toMatchObject([{ kind: "unreadable" }]);
  expect(
    await read(deliveryReport({ fields: [] }), `abuse@${domain}`),
    "from a stranger it is nobody's work",
  ).toMatchObject([{ kind: "ignored" }]);
  const [bare] = await read(deliveryReport({ fields: ["Action: failed"] }));
  expect(bare).toMatchObject({ report: { diagnostic: "the provider gave no reason" } });
  expect(bare).not.toHaveProperty("report.error.provider.code");
});

test("without a return path the Message-ID of what came back tells, and who else's mail came back is nobody's news", async () => {
  const inbox = "help@shop.example";
  const returned = mailIdOf(masterKey, { messageId, attempt: 1 }, "shop.example");
  expect(await read(deliveryReport({ returned }), inbox)).toMatchObject([
    { kind: "report", report: { providerMessageId: returned, status: "bounced" } },
  ]);
  expect(await read(deliveryReport({ returned: "<x@shop.example>" }), inbox)).toMatchObject([
    { kind: "ignored" },
  ]);
  expect(await read(deliveryReport(), inbox)).toMatchObject([{ kind: "ignored" }]);
  expect(await read(deliveryReport({ returned }))).toMatchObject([
    { report: { providerMessageId: mailId, messageId } },
  ]);
});

test("at an address that anybody knows a Message-ID alone, which answers quote, is no word of the server that took the mail", async () => {
  for (const to of [`abuse@${domain}`, `fbl@${domain}`, "help@shop.example"])
    for (const returned of [mailId, mailId.replace(domain, domain.toUpperCase())]) {
      const failure = deliveryReport({ returned });
      expect(await read(failure, to), to).toMatchObject([{ kind: "ignored" }]);
      expect(await read(complaintReport("abuse", returned), to)).toMatchObject([
        { kind: "ignored" },
      ]);
    }
});

test("a complaint is found by the return path that it names, which the gateway gave out; that something is no spam is none", async () => {
  const fbl = `fbl@${domain}`;
  const about = (path: string, type = "abuse", returned = mailId) =>
    read(complaintReport(type, returned, [`Original-Mail-From: <${path}@${domain}>`]), fbl);
  const said = {
    kind: "report",
    report: {
      providerMessageId: mailId,
      messageId,
      status: "complained",
      diagnostic: "abuse, MailboxFBL/1.0",
    },
  };
  expect(await about(local)).toMatchObject([said]);
  expect(await about(local, "abuse", ""), "the Message-ID is cut out").toMatchObject([said]);
  const returned = `${mailId}\nReturn-Path: <${local}@${domain}>`;
  expect(await read(complaintReport("abuse", returned), fbl)).toMatchObject([said]);
  const last = local.at(-1) === "0" ? "1" : "0";
  const elsewhere = returnPathOf(masterKey, "gtw_other", { messageId, attempt: 2 });
  for (const forged of [local.slice(0, -1) + last, local.replace("-2-", "-1-"), elsewhere])
    expect(await about(forged), forged).toMatchObject([{ kind: "ignored" }]);
  const complaint = complaintReport("abuse", mailId, [
    `Original-Mail-From: <${elsewhere}@${domain}>`,
  ]);
  const sharing = (of: string) => (of === domain ? ["gtw_other"] : []);
  expect(
    await read(complaint, fbl, undefined, { sharing }),
    "of another gateway with the same addresses",
  ).toMatchObject([said]);
  for (const type of ["not-spam", "auth-failure", "virus", "nonsense"])
    expect(await about(local, type)).toMatchObject([{ kind: "ignored" }]);
  const before = mailIdOf(masterKey, { messageId, attempt: 2 }, "shop.example");
  expect(
    await read(complaintReport("abuse", before), fbl),
    "of mail without a return path the Message-ID is all there is",
  ).toMatchObject([{ report: { providerMessageId: before, status: "complained" } }]);
});

test("what a machine answers opens nothing: it says so, has nobody to answer to, or answers to the return path", async () => {
  const inbox = "help@shop.example";
  const one = (more: readonly string[], headers = isPerson, to = inbox) =>
    read(writtenMail([...person, ...more], "I am away."), to, headers);
  expect(await one([])).toMatchObject([{ kind: "inbound", from: "ada@example.com" }]);
  expect(await one(["Auto-Submitted: no"])).toMatchObject([{ kind: "inbound" }]);
  for (const header of [
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: auto-generated (vacation)",
    "Precedence: bulk",
    "Precedence: auto_reply",
    "X-Auto-Response-Suppress: All",
    "X-Autoreply: yes",
    "List-Id: <friends.example.com>",
  ])
    expect(await one([header]), header).toMatchObject([{ kind: "ignored" }]);
  expect(await one([], { "mail-from": "" })).toMatchObject([{ kind: "ignored" }]);
  expect(await one([], isPerson, `${local}@${domain}`)).toMatchObject([{ kind: "ignored" }]);
  for (const local of ["abuse", "fbl", "postmaster"])
    expect(await one([], isPerson, `${local}@${domain}`), "reports alone").toMatchObject([
      { kind: "ignored" },
    ]);
  const click = ["Subject: Unsubscribe", "Auto-Submitted: auto-generated"];
  expect(await one(click), "a mail program, for its user").toMatchObject([{ kind: "inbound" }]);
  for (const more of ["In-Reply-To: <x@shop.example>", "List-Id: <friends.example.com>"])
    expect(await one([...click, more]), more).toMatchObject([{ kind: "ignored" }]);
  expect(await one(click, { "mail-from": "" })).toMatchObject([{ kind: "ignored" }]);
  const postfix = ["From: MAILER-DAEMON@mx.example", "Auto-Submitted: auto-replied"];
  expect(await read(deliveryReport({ headers: postfix })), "and a report is one").toMatchObject([
    { kind: "report", report: { status: "bounced" } },
  ]);
  const forwarded = writtenMail(
    [...person, 'Content-Type: multipart/mixed; boundary="m"'],
    `--m\r\n\r\nSee below\r\n--m\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n--m--`,
  );
  expect(await read(forwarded, inbox, isPerson), "a person's, with a report in it").toMatchObject([
    { kind: "inbound" },
  ]);
});

async function reading(raw: Buffer) {
  const [item] = await read(raw, "help@shop.example", isPerson);
  if (item?.kind !== "inbound") throw new Error(JSON.stringify(item));
  const { contentType, providerMessageId } = item;
  const said = await parseInbound("smtp", { raw: item.raw, contentType, gateway });
  expect(said.providerMessageId).toBe(providerMessageId);
  return said;
}

test("an answer is read in its letters, with its thread, its name and the names of its files", async () => {
  const raw = writtenMail(
    [
      "From: =?ISO-8859-2?Q?Ada_=A3=F3d=BC?= <ada@EXAMPLE.com>",
      "Message-ID: <m2@example.com>",
      "Subject: =?UTF-8?B?UmU6IEdyw7zDn2U=?=",
      `In-Reply-To: ${mailId}`,
      `References: <first@shop.example>\r\n ${mailId}`,
      'Content-Type: multipart/mixed; boundary="m"',
    ],
    [
      "--m",
      "Content-Type: text/plain; charset=iso-8859-2",
      "Content-Transfer-Encoding: quoted-printable",
      "",
      "Dzi=EAkuj=EA, =B3=F3d=BC",
      "--m",
      'Content-Type: application/pdf; name="bill.pdf"',
      "Content-Disposition: attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf",
      "Content-Transfer-Encoding: base64",
      "",
      "JVBERi0xLjcK",
      "--m--",
    ].join("\r\n"),
  );
  expect(await reading(raw)).toEqual({
    providerMessageId: "<m2@example.com>",
    from: "ada@EXAMPLE.com",
    to: "help@shop.example",
    profileName: "Ada Łódź",
    subject: "Re: Grüße",
    text: "Dziękuję, łódź\n-- \n[résumé.pdf]",
    references: ["<first@shop.example>", mailId],
    kind: "message",
  });
});

test("a file is called what its part says, wherever that stands", async () => {
  const name = (...headers: string[]) => nameOfPart(headers.join("\r\n"));
  expect(
    await name("Content-Type: text/csv", 'Content-Disposition: attachment; filename="a.csv"'),
  ).toBe("a.csv");
  expect(
    await name("content-disposition:\r\n inline;filename=a.txt", "Content-Type: text/plain"),
  ).toBe("a.txt");
  expect(await name("Content-Type: text/plain; name=a.txt", "Content-Disposition: inline")).toBe(
    "a.txt",
  );
  expect(await name("Content-Type: text/plain; name=a.txt")).toBe("a.txt");
  expect(
    await name("Content-Disposition:", 'Content-Type: application/pdf; name="a.pdf"', "X-Rest: 1"),
  ).toBe("a.pdf");
  expect(await name("Content-Type: text/plain")).toBeUndefined();
});

test("a page without a text is read as one, so that a keyword in it is found", async () => {
  const html =
    "<html><head><style>p{}</style></head><body><p>STOP</p><script>x()</script>&lt;3 &#x1F600;</body></html>";
  const said = await reading(writtenMail([...person, "Content-Type: text/html"], html));
  expect(said.text).toBe("STOP\n<3 😀");
  expect(said.html).toContain("<p>STOP</p>");
});

test("hostile mail is bounded: nesting, headers, sizes, names, and what was cut off", async () => {
  const inbox = "help@shop.example";
  const nested = (depth: number) =>
    writtenMail(
      [...person, 'Content-Type: multipart/mixed; boundary="b0"'],
      Array.from(
        { length: depth },
        (_, at) => `--b${at}\r\nContent-Type: multipart/mixed; boundary="b${at + 1}"\r\n`,
      ).join("\r\n"),
    );
  const reasonless = { kind: "ignored", what: "a mail that is nested or headed beyond reason" };
  expect(await read(nested(1_000), inbox, isPerson)).toEqual([reasonless]);
  const headers = Array.from({ length: 300 }, () => `X-A: ${"x".repeat(1_000)}`);
  expect(await read(writtenMail(headers, ""), inbox, isPerson)).toEqual([reasonless]);
  const noSender = [{ kind: "ignored", what: "a mail that does not say who wrote it" }];
  expect(await read(Buffer.from([0xff, 0, 1, 2]), inbox, isPerson)).toEqual(noSender);
  expect(await read(writtenMail(["Subject: Buy"], "x"), inbox, isPerson)).toEqual(noSender);
  const long = await reading(
    writtenMail([...person, `Subject: ${"s".repeat(5_000)}`], "x".repeat(400_000)),
  );
  expect([long.text!.length, long.subject!.length]).toEqual([90_000, 900]);
  const cut = writtenMail(
    [...person, 'Content-Type: multipart/mixed; boundary="m"'],
    '--m\r\n\r\nHello\r\n--m\r\nContent-Type: image/png; name="a.png"\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo',
  );
  expect((await reading(cut)).text).toBe("Hello\n-- \n[a.png]");
  const odd = await reading(
    writtenMail(["From: ada@example.com", "Message-ID: <a\u0000b@example.com>"], "x"),
  );
  expect(odd.providerMessageId).toMatch(/^[0-9a-f]{64}$/);
});

test("a mail is read as far as its lines and parts are what people write, so that no parser works for seconds", async () => {
  const head = writtenMail(person, "");
  const linesOf = (raw: Buffer): number => raw.toString("latin1").split("\n").length - 1;
  for (const line of ["a\n", "\n", "--\n".repeat(2)]) {
    const body = Buffer.concat([head, Buffer.from(line.repeat(500_000 / line.length))]);
    expect(linesOf(readableBeginning(body))).toBeLessThanOrEqual(10_000);
  }
  const parts = writtenMail(
    [...person, 'Content-Type: multipart/mixed; boundary="m"'],
    "--m\r\nContent-Type: a/b\r\n\r\nx\r\n".repeat(5_000),
  );
  const kept = readableBeginning(parts).toString("latin1");
  expect(kept.split("--m\r\n").length - 1).toBe(1_000);
  const { text } = await reading(Buffer.concat([head, Buffer.from("a\n".repeat(12_000))]));
  expect(text!.split("\n").length, "of the text what comes first").toBe(9_997);
  const ordinary = "A line of ordinary length, such as people and programs write them.\r\n";
  const long = await reading(writtenMail(person, ordinary.repeat(1_300) + "The end"));
  expect(long.text).toMatch(/^A line[^]*The end$/);
  const base64 = writtenMail(person, `${"A".repeat(76)}\r\n`.repeat(6_400));
  expect(readableBeginning(base64)).toEqual(base64);
});

test("no part is made of another one's kind but a text of a page, in a time that its length bounds", async () => {
  const mixed = (...parts: readonly string[]) =>
    reading(
      writtenMail(
        [...person, 'Content-Type: multipart/mixed; boundary="m"'],
        [...parts.map((part) => `--m\r\nContent-Type: ${part}`), "--m--"].join("\r\n"),
      ),
    );
  const page = 'text/html\r\n\r\n<p>STOP <a href="https://x.example/">here</a></p>';
  const footer = "text/plain\r\n\r\n<list>";
  const both = await mixed(page, footer);
  expect(both.text, "no link is written out").toBe("STOP here\n<list>");
  expect(both.html, "a page without the footer were not the whole").toBeUndefined();
  expect((await mixed(page, page)).html).toContain("</p>\n\n<p>STOP");
  const hostile = await mixed(`text/html\r\n\r\n${'<a href="'.repeat(5_000)}`, footer);
  expect(hostile.text).toContain("<list>");
});
