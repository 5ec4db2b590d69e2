import { smtpSink } from "@heliograph/testkit";
import PostalMime from "postal-mime";
import { expect, test } from "vitest";
import { createGateway } from "../src/index.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;

test("files go as parts of the mail, byte for byte", async () => {
  const sink = await smtpSink();
  const config = configOf({
    environment: "live",
    kind: "smtp",
    channel: "email",
    settings: { url: `smtp://127.0.0.1:${sink.port}`, from: "shop@shop.example" },
  });
  const contents = [Buffer.from([0, 255, 13, 10, 46, 13, 10]), Buffer.from("a;b\r\n")];
  const gateway = createGateway("live", config, toolsOf());
  const attempt = attemptOf("ada@example.com", {
    content: { subject: "Files", text: "See below." },
    files: contents.map((content) => ({
      name: "Rechnung für Ä.pdf",
      type: "application/pdf",
      content,
    })),
  });
  try {
    expect(await gateway.send(attempt, never)).toMatchObject({ type: "accepted" });
    const mail = await PostalMime.parse(sink.messages[0]!.raw);
    expect(mail.text?.trim()).toBe("See below.");
    expect(
      mail.attachments.map(({ filename, mimeType, disposition, content }) => [
        filename,
        mimeType,
        disposition,
        Buffer.from(content as ArrayBuffer).toString("hex"),
      ]),
    ).toEqual(
      contents.map((bytes) => [
        "Rechnung für Ä.pdf",
        "application/pdf",
        "attachment",
        bytes.toString("hex"),
      ]),
    );
  } finally {
    await gateway.close();
    await sink.close();
  }
});
