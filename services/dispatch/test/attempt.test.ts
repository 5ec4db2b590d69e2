import { isSigned } from "@heliograph/api";
import { newId } from "@heliograph/contracts";
import { expect, it } from "vitest";
import { attemptOf } from "../src/attempt.ts";
import type { Task } from "../src/job.ts";

const masterKey = Buffer.alloc(32, 1);
const links = { masterKey, origin: "https://api.example", environment: "live" } as const;

it("the provider is given links that expire, new ones for each attempt, and addresses as they are", () => {
  const attachment = newId("att");
  const media = [
    { attachment_id: attachment, type: "image/png", name: "a.png", bytes: 9 },
    { url: "https://cdn.example/b.jpg?x=1", caption: "b" },
  ];
  const request = {
    channel: "telegram",
    to: "1",
    category: "transactional",
    in_reply_to: "<2@mail.example>",
    references: ["<1@mail.example>"],
    content: { text: "x", media },
    segments: {},
  };
  const job = {
    messageId: newId("msg"),
    attempt: 1,
    opened: undefined,
    state: {
      request,
      requestEvent: { metadata: { partner: "ptn_1" } },
      putOff: new Map([["mail", 1]]),
    },
  } as unknown as Task;
  const nowMs = Date.parse("2026-05-23T14:22:17Z");
  const attempt = attemptOf(job, "bot", links, nowMs);
  expect(attempt.content).toEqual({ text: "x" });
  const { inReplyTo, references } = attempt;
  expect({ inReplyTo, references }).toEqual({
    inReplyTo: "<2@mail.example>",
    references: ["<1@mail.example>"],
  });
  const [own, given] = attempt.media!;
  expect(given).toEqual({ url: "https://cdn.example/b.jpg?x=1", caption: "b" });
  expect(own).toMatchObject({ type: "image/png", name: "a.png", bytes: 9 });
  const url = new URL(own!.url);
  expect(url.origin + url.pathname).toBe(
    `https://api.example/api/v1/attachments/${attachment}/content`,
  );
  const expires = Number(url.searchParams.get("expires"));
  expect(expires).toBe(Date.parse("2026-05-23T15:30:00Z") / 1000);
  const signature = url.searchParams.get("signature")!;
  expect(isSigned(masterKey, { environment: "live", id: attachment, expires }, signature)).toBe(
    true,
  );
  const later = attemptOf({ ...job, attempt: 2 }, "mail", links, nowMs + 3_600_000);
  expect([attempt.firstPutOff, later.firstPutOff]).toEqual([undefined, 1]);
  expect(later.media![0]!.url).not.toBe(own!.url);
});
