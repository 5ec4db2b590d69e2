import { smtpSink } from "@heliograph/testkit";
import PostalMime from "postal-mime";
import { expect, test } from "vitest";
import { createGateway, type GatewayTools } from "../src/index.ts";
import { createRoom } from "../src/smtp/files.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;

test("files go as parts of the mail, byte for byte; one that is gone fails it for good, and a store that cannot be read keeps it waiting, with nothing sent", async () => {
  const sink = await smtpSink();
  const config = configOf({
    environment: "live",
    kind: "smtp",
    channel: "email",
    settings: { url: `smtp://127.0.0.1:${sink.port}`, from: "shop@shop.example" },
  });
  const contents: Record<string, Buffer> = {
    att_a: Buffer.from([0, 255, 13, 10, 46, 13, 10]),
    att_b: Buffer.from("a;b\r\n"),
  };
  const file: NonNullable<GatewayTools["file"]> = async (id, partner) => {
    if (id === "att_away") throw new Error("the storage answers GET with 503");
    return partner === "ptn_one" ? contents[id] : undefined;
  };
  const gateway = createGateway("live", config, toolsOf({ file }));
  const send = (...ids: readonly (string | undefined)[]) =>
    gateway.send(
      attemptOf("ada@example.com", {
        content: { subject: "Files", text: "See below." },
        media: ids.map((id) => ({
          url: "https://api.example.com/x",
          ...(id !== undefined && { attachmentId: id }),
          name: "Rechnung für Ä.pdf",
          type: "application/pdf",
          bytes: 7,
        })),
      }),
      never,
    );
  try {
    expect(await send("att_a", "att_b")).toMatchObject({ type: "accepted" });
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
      Object.values(contents).map((bytes) => [
        "Rechnung für Ä.pdf",
        "application/pdf",
        "attachment",
        bytes.toString("hex"),
      ]),
    );
    for (const id of ["att_none", undefined])
      expect(await send("att_a", id)).toMatchObject({
        type: "rejected",
        error: { code: "content_rejected", permanent: true },
      });
    expect(await send("att_away")).toMatchObject({ type: "unavailable" });
    expect(sink.messages).toHaveLength(1);
  } finally {
    await gateway.close();
    await sink.close();
  }
});

test("mails with files wait for room in the order of asking, and who gives up waits no longer and holds nobody up", async () => {
  const room = createRoom(10);
  const given: string[] = [];
  const ask = async (name: string, bytes: number, signal = never) => {
    const release = await room(bytes, signal);
    given.push(name);
    return release;
  };
  const first = await ask("first", 8);
  const leaving = new AbortController();
  const large = ask("large", 9, leaving.signal);
  const small = ask("small", 2);
  await Promise.resolve();
  expect(given, "nobody passes who is before").toEqual(["first"]);
  leaving.abort(new Error("too long"));
  await expect(large).rejects.toThrow("too long");
  const second = await small;
  const all = ask("more than all", 99);
  first();
  second();
  (await all)();
  expect(given).toEqual(["first", "small", "more than all"]);
});
