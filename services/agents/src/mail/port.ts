import { mkdir, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Mail } from "@heliograph/platform";
import type { Settings } from "@heliograph/runtime";
import { createTransport } from "nodemailer";

/** How the installation's own mail leaves. `send` rejects when it did not, or nobody knows; the same id may be sent again. */
export type MailPort = {
  /** For the start's log line. */
  readonly target: string;
  send(id: string, mail: Mail): Promise<void>;
  close(): void;
};

/** A server that has not taken a mail in this time is as good as away. */
const deadlineMs = 20_000;

export const openMailPort = (
  settings: Pick<Settings, "mailUrl" | "mailFrom" | "dataDir">,
): MailPort =>
  settings.mailUrl === undefined
    ? outbox(join(resolve(settings.dataDir), "outbox"), settings.mailFrom)
    : smtp(settings.mailUrl, settings.mailFrom);

function smtp(mailUrl: string, from: string): MailPort {
  const transport = createTransport({
    url: mailUrl,
    connectionTimeout: deadlineMs,
    greetingTimeout: deadlineMs,
    dnsTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    target: new URL(mailUrl).host,
    async send(id, { to, subject, text }) {
      await transport.sendMail({
        from,
        to: { name: "", address: to },
        subject,
        text,
        messageId: `<${id}@heliograph>`,
        headers: { "Auto-Submitted": "auto-generated" },
        signal: AbortSignal.timeout(deadlineMs),
      });
    },
    close: () => transport.close(),
  };
}

/** One file a mail, whole or not there; readable by the owner alone, because mail holds tokens. */
const outbox = (folder: string, from: string): MailPort => ({
  target: folder,
  async send(id, mail) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${id}.json`);
    const text = JSON.stringify({ from, ...mail, at: new Date().toISOString() }, undefined, 2);
    await writeFile(`${path}.${process.pid}`, `${text}\n`, { mode: 0o600 });
    await rename(`${path}.${process.pid}`, path);
  },
  close: () => undefined,
});
