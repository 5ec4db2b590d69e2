import { connect } from "node:net";
import { newId } from "@heliograph/contracts";
import { createTransport, type SendMailOptions } from "nodemailer";

/** Gives the server's last answer. */
export async function deliverTo(
  at: number,
  envelope: { readonly from: string; readonly to: string | readonly string[] },
  raw: string | Buffer,
): Promise<string> {
  // As other servers do: encrypted where it is offered, whoever signed the certificate.
  const tls = { rejectUnauthorized: false };
  const transport = createTransport({ host: "127.0.0.1", port: at, tls });
  const mail: SendMailOptions = { envelope: { ...envelope, to: [envelope.to].flat() }, raw };
  try {
    return (await transport.sendMail(mail)).response;
  } catch (error) {
    return (error as { response?: string }).response ?? String(error);
  } finally {
    transport.close();
  }
}

/** What a mail server tells of a mail that it returns. */
export const report = (status: string, returned: string, action = "failed"): string =>
  [
    "From: MAILER-DAEMON@mx.example",
    `Message-ID: <${newId("msg")}@mx.example>`,
    "MIME-Version: 1.0",
    "Auto-Submitted: auto-replied",
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    "",
    "--b\r\n\r\nIt did not work.\r\n--b",
    "Content-Type: message/delivery-status",
    "",
    "Reporting-MTA: dns; mx.example\r\n",
    `Final-Recipient: rfc822; ada@example.com\r\nAction: ${action}\r\nStatus: ${status}`,
    `Diagnostic-Code: smtp; 550 ${status} no`,
    "",
    `--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: ${returned}`,
    "--b--",
    "",
  ].join("\r\n");

/** What a server says to lines, one after the other. */
export async function talk(at: number, lines: readonly string[]): Promise<readonly string[]> {
  const socket = connect(at, "127.0.0.1");
  const answers: string[] = [];
  const left = [...lines];
  for await (const chunk of socket.setEncoding("utf8")) {
    for (const line of String(chunk).split("\r\n"))
      if (/^\d{3} /.test(line)) {
        answers.push(line.slice(0, 3));
        const next = left.shift();
        if (next === undefined) socket.end();
        else socket.write(`${next}\r\n`);
      }
  }
  return answers;
}

/** A connection that has begun a mail, or was refused; gives its last answer. */
export async function begun(port: number, localAddress: string) {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  const left = ["EHLO x.example", "MAIL FROM:<>", "RCPT TO:<Postmaster>", "DATA"];
  let answer = "";
  await new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      const line = /^(\d{3}) /m.exec(chunk)?.[1];
      if (line === undefined) return;
      answer = line;
      const next = left.shift();
      if (next === undefined || !/^[23]/.test(line)) resolve();
      else socket.write(`${next}\r\n`);
    });
  });
  return { socket, answer };
}
