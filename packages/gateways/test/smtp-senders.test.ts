import { masterKeyOf } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { attemptIdOf, type CallbackItem } from "../src/index.ts";
import { mailIdOf } from "../src/smtp/mail-id.ts";
import { unsubscribeToken } from "../src/unsubscribe-link.ts";
import {
  domain,
  isPerson,
  local,
  mailId,
  masterKey,
  messageId,
  person,
  read,
} from "./mail-reader.ts";
import { complaintReport, deliveryReport, writtenMail } from "./mails.ts";

const claimOf = async (
  headers: readonly string[],
  by?: Parameters<typeof read>[3],
  remoteAddress = "10.1.2.3",
) => {
  const from = { ...isPerson, "remote-address": remoteAddress };
  const [item] = await read(writtenMail(headers, "STOP"), "help@shop.example", from, by);
  if (item?.kind !== "inbound") throw new Error(JSON.stringify(item));
  return item.claim;
};

test("who wrote a mail is claimed by what it answers, and by nothing that its writer alone says", async () => {
  expect(await claimOf(person)).toEqual({ authenticated: false, answers: [], messages: [] });
  const answering = [
    ...person,
    `In-Reply-To: ${mailId}`,
    "References: <a@x.example>\r\n <b@x.example>",
  ];
  expect(await claimOf(answering), "of what is nobody's nothing is looked for").toEqual({
    authenticated: false,
    answers: [mailId],
    messages: [messageId],
  });
  const forged = mailId.replace(/.{20}@/, `${"0".repeat(20)}@`);
  const outlook = "<a1@AS8PR01MB0001.eurprd01.prod.outlook.com>";
  const others = [...person, `References: ${forged} ${outlook}`];
  expect(await claimOf(others), "the signature counts").toMatchObject({
    answers: [forged, outlook],
    messages: [],
  });
});

test("a mail is its sender's where the server that is trusted says so of the domain in its From, and that server delivered it", async () => {
  const trusted = { authserv_id: "mx.shop.example", addresses: ["10.1.0.0/16", "2001:db8::1"] };
  const more = { authenticated_by: trusted };
  const pass =
    "Authentication-Results: mx.shop.example; spf=pass; dmarc=pass header.from=example.com";
  const believed = async (
    results: readonly string[],
    { by = more as object, at = "10.1.2.3", from = person } = {},
  ) => (await claimOf([...results, ...from], { more: by }, at))?.authenticated;
  expect(await believed([pass])).toBe(true);
  expect(await believed([pass], { at: "::ffff:10.1.2.3" })).toBe(true);
  expect(await believed([pass], { at: "2001:db8::1" })).toBe(true);
  expect(
    await believed([pass.replace("mx.", "MX.").replace("; dmarc", " (a; b) 1;\r\n dmarc")]),
  ).toBe(true);
  const dkim = "Authentication-Results: mx.shop.example; dkim=pass header.d=example.com";
  expect(await believed([dkim, pass]), "results may stand in several headers").toBe(true);
  for (const [why, results, changes] of [
    ["nobody is trusted", [pass], { by: {} }],
    ["somebody else delivered it", [pass], { at: "10.2.0.1" }],
    ["nothing is known of who did", [pass], { at: "" }],
    ["another server's", [pass.replace("mx.shop", "mx.evil")], {}],
    ["no result", [dkim], {}],
    ["it failed", [pass.replace("dmarc=pass", "dmarc=fail")], {}],
    ["it failed once", [pass, pass.replace("dmarc=pass", "dmarc=fail")], {}],
    ["of another domain", [pass.replace("from=example", "from=evil")], {}],
    ["of none", [pass.replace(" header.from=example.com", "")], {}],
    [
      "in a comment",
      [
        pass.replace(
          "dmarc=pass header.from=example.com",
          "x=y (; dmarc=pass header.from=example.com)",
        ),
      ],
      {},
    ],
    [
      "in a quoted string",
      [
        pass.replace(
          "dmarc=pass header.from=example.com",
          'spf=x reason="\\"; dmarc=pass header.from=example.com"',
        ),
      ],
      {},
    ],
    [
      "two senders",
      [pass],
      { from: ["From: ada@example.com, eve@evil.example", ...person.slice(1)] },
    ],
    ["two From", [pass], { from: ["From: eve@example.com", ...person] }],
  ] as const)
    expect(await believed(results, { ...changes } as object), why).toBe(false);
});

test("who unsubscribes by the header of a mail is known by what that names, whoever the mail says that it is from, and a made-up one does nothing", async () => {
  const token = unsubscribeToken(masterKey, { environment: "live", messageId });
  const asks = (subject: string, by?: Parameters<typeof read>[3], from = "eve@evil.example") =>
    read(
      writtenMail([`From: ${from}`, `Subject: ${subject}`], "Unsubscribe"),
      "help@shop.example",
      { "mail-from": from },
      by,
    );
  const asked = [{ kind: "report", report: { messageId, status: "unsubscribed" } }];
  expect(await asks(`unsubscribe ${token}`)).toMatchObject(asked);
  expect(await asks(`Unsubscribe  ${token}`)).toMatchObject(asked);
  const named = async (id: string): Promise<unknown> => {
    const headers = [...person.slice(0, 1), `Subject: unsubscribe ${token}`, `Message-ID: <${id}>`];
    const [item] = await read(writtenMail(headers, ""), "help@shop.example", isPerson);
    return item?.kind === "report" ? item.report.eventId : item;
  };
  expect(await named("a@x"), "the same mail once").toBe(await named("a@x"));
  expect(await named("a@x"), "another one again").not.toBe(await named("b@x"));
  const next = Buffer.alloc(32, 8);
  const rotating = { masterKey: masterKeyOf(next, masterKey) };
  expect(await asks(`unsubscribe ${token}`, rotating), "while the key is rotated").toMatchObject(
    asked,
  );
  const written = [{ kind: "inbound", claim: { authenticated: false, answers: [] } }];
  const [old] = await asks(`unsubscribe ${token}`, { masterKey: next });
  expect([old]).toMatchObject(written);
  const [, ofBefore] = await asks(`unsubscribe ${token}`, { masterKey: next });
  expect(ofBefore, "and takes back nothing that was made of it").toMatchObject({ unproven: true });
  const sandbox = unsubscribeToken(masterKey, { environment: "sandbox", messageId });
  const forged = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
  for (const made of [sandbox, forged, "", messageId]) {
    const [item] = await asks(`unsubscribe ${made}`);
    expect([item], made).toMatchObject(written);
  }
  const returned = writtenMail(["From: mx@x.example", `Subject: unsubscribe ${token}`], "x");
  expect(
    await read(returned, "help@shop.example"),
    "a machine that sends it back unsubscribes nobody",
  ).toMatchObject([{ kind: "ignored" }]);
});

test("the Message-ID that a return path stands for is known under either key while two are given, and as an earlier release gave it out", async () => {
  const next = Buffer.alloc(32, 8);
  const [item] = await read(deliveryReport(), undefined, undefined, {
    masterKey: masterKeyOf(next, masterKey),
  });
  const attempt = { messageId, attempt: 2 };
  expect(item).toMatchObject({
    report: {
      providerMessageId: mailIdOf(next, attempt, domain),
      otherIds: [mailId, `<${attemptIdOf(messageId, 2)}@${domain}>`],
    },
  });
  const [now] = await read(deliveryReport());
  const eventId = (told: CallbackItem | undefined): string | undefined =>
    told?.kind === "report" ? told.report.eventId : undefined;
  expect(eventId(item), "the same event whatever the key").toBe(eventId(now));
  const gone = complaintReport("abuse", mailId, [`Original-Mail-From: <${local}@${domain}>`]);
  expect(
    await read(gone, `fbl@${domain}`, undefined, { masterKey: next }),
    "what was believed by a key that is gone is not taken back",
  ).toMatchObject([{ kind: "ignored", unproven: true }]);
});
