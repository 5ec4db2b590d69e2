/** Mails as other servers write them. */

type Report = {
  readonly to?: string;
  readonly fields?: readonly string[];
  readonly headers?: readonly string[];
  readonly returned?: string;
  readonly type?: string;
};

const multipart = (headers: readonly string[], type: string, parts: readonly string[]): Buffer =>
  Buffer.from(
    [
      ...headers,
      "MIME-Version: 1.0",
      `Content-Type: multipart/report; report-type=${type}; boundary="=_b"`,
      "",
      ...parts.flatMap((part) => ["--=_b", part]),
      "--=_b--",
      "",
    ]
      .join("\n")
      .replaceAll("\n", "\r\n"),
  );

/** A report as Postfix writes one (RFC 3464). */
export const deliveryReport = ({
  to = "ada@example.com",
  fields = ["Action: failed", "Status: 5.1.1"],
  headers = ["From: MAILER-DAEMON@mx.example", "Message-ID: <dsn-1@mx.example>"],
  returned = "",
  type = "delivery-status",
}: Report = {}): Buffer =>
  multipart(headers, type, [
    "Content-Type: text/plain\n\nThis is the mail system.\n",
    [
      "Content-Type: message/delivery-status",
      "",
      "Reporting-MTA: dns; mx.example",
      "",
      `Final-Recipient: rfc822; ${to}`,
      ...fields,
      "",
    ].join("\n"),
    ...(returned === ""
      ? []
      : [`Content-Type: text/rfc822-headers\n\nMessage-ID: ${returned}\nSubject: Hi\n`]),
  ]);

/** A complaint as mailbox providers write one (RFC 5965). */
export const complaintReport = (type: string, returned: string, more: string[] = []): Buffer =>
  multipart(
    ["From: fbl@mailbox.example", "Message-ID: <arf-1@mailbox.example>"],
    "feedback-report",
    [
      "Content-Type: text/plain\n\nThis is a report of abuse.\n",
      [
        "Content-Type: message/feedback-report",
        "",
        `Feedback-Type: ${type}`,
        "User-Agent: MailboxFBL/1.0",
        "Version: 1",
        ...more,
        "",
      ].join("\n"),
      `Content-Type: message/rfc822\n\nMessage-ID: ${returned}\nSubject: Hi\n\nHello\n`,
    ],
  );

/** What a person writes, in headers and a body. */
export const writtenMail = (headers: readonly string[], body: string): Buffer =>
  Buffer.from([...headers, "", body].join("\r\n"));
