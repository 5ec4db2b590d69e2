import { describe, expect, it } from "vitest";
import {
  contentFaults,
  magicOutcome,
  pushFaults,
  shapeFaults,
  togetherFaults,
  valueFaults,
} from "@heliograph/channels";

const codes = (faults: readonly { path: string; code: string }[]) =>
  faults.map(({ path, code }) => `${path} ${code}`);

describe("what a push takes besides", () => {
  it("is for a push alone, and has no name that a provider or the platform keeps for itself", () => {
    expect(pushFaults("push", undefined)).toEqual([]);
    expect(codes(pushFaults("sms", { badge: 1 }))).toEqual(["push not_allowed"]);
    const keys = [
      "from",
      "message_type",
      "google",
      "googleX",
      "gcm.n.e",
      "gcm",
      "aps",
      "fcm_options",
    ];
    const all = [...keys, "message_id", "image", "order", "From", "a.google"];
    const data = Object.fromEntries(all.map((key) => [key, "1"]));
    expect(codes(pushFaults("push", { data }))).toEqual(
      [...keys, "message_id", "image"].map((key) => `push.data.${key} reserved`),
    );
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, ""]));
    expect(pushFaults("push", { data: many(50) })).toEqual([]);
    expect(codes(pushFaults("push", { data: many(51) }))).toEqual(["push.data too_many"]);
    for (const [key, fault] of [
      ["order-7", []],
      ["x".repeat(64), []],
      ["x".repeat(65), ["push.collapse_key invalid_format"]],
      ["a b", ["push.collapse_key invalid_format"]],
      ["Größe", ["push.collapse_key invalid_format"]],
    ] as const)
      expect(codes(pushFaults("push", { collapse_key: key }))).toEqual(fault);
  });

  it("counts with its words and its picture, as JSON has it", () => {
    const of = (length: number, more: object = {}) => ({
      data: { k: "x".repeat(length) },
      ...more,
    });
    const most = 3_900 - 1 - 7;
    const faults = (push: object, files: object[] = []) =>
      codes(togetherFaults("push", { text: "a", push }, files));
    expect(faults(of(most))).toEqual([]);
    expect(faults(of(most + 1))).toEqual(["push too_long"]);
    expect(faults(of(most, { badge: 1 }))).toEqual(["push too_long"]);
    expect(faults(of(most, { sound: "a" }))).toEqual(["push too_long"]);
    expect(faults(of(most), [{ url: "b" }])).toEqual(["push too_long"]);
    // Neither of them goes into what APNs weighs.
    expect(faults(of(most, { channel_id: "a", collapse_key: "b" }))).toEqual([]);
    expect(faults({ data: { k: '"'.repeat(1_950) } })).toEqual(["push too_long"]);
  });
});

describe("a body", () => {
  it("has what its channel carries and needs", () => {
    expect(codes(shapeFaults("sms", { html: "a" }))).toEqual(["text required", "html not_allowed"]);
    expect(codes(shapeFaults("email", {}))).toEqual(["html required", "subject required"]);
    expect(shapeFaults("email", { text: "a", subject: "b" })).toEqual([]);
    expect(shapeFaults("push", { subject: "b", text: "a" })).toEqual([]);
    expect(codes(shapeFaults("telegram", { subject: "b", text: "a" }))).toEqual([
      "subject not_allowed",
    ]);
  });

  it.each([
    ["sms", "text", 1_600],
    ["whatsapp", "text", 4_096],
    ["email", "text", 100_000],
    ["email", "html", 200_000],
    ["email", "subject", 989],
  ] as const)(
    "on %s has a %s of at most %d characters, however many code units",
    (channel, field, most) => {
      for (const character of ["x", "😀"]) {
        expect(contentFaults(channel, { [field]: character.repeat(most) })).toEqual([]);
        expect(codes(contentFaults(channel, { [field]: character.repeat(most + 1) }))).toEqual([
          `${field} too_long`,
        ]);
      }
    },
  );

  it("holds something to read, and a subject of one line", () => {
    expect(codes(contentFaults("sms", { text: "" }))).toEqual(["text blank"]);
    expect(codes(contentFaults("email", { html: " \n", subject: "a\r\nBcc: b" }))).toEqual([
      "html blank",
      "subject line_break",
    ]);
  });
});

it("has values of variables that its channel carries", () => {
  const values = { a: "one\ntwo", b: "one\ttwo", c: "one     two", d: "", e: "one    two", f: 5 };
  expect(valueFaults("sms", values)).toEqual([]);
  expect(codes(valueFaults("whatsapp", values))).toEqual([
    "variables.a line_break",
    "variables.b line_break",
    "variables.c too_many_blanks",
    "variables.d blank",
  ]);
});

describe("a sandbox recipient", () => {
  it.each([
    ["sms", "+15550000004", "flaky"],
    ["whatsapp", "+15551230011", "suppressed"],
    ["email", "flaky@example.com", "flaky"],
    ["email", "Flaky+7@example.com", "flaky"],
    ["email", "suppressed+1@example.com", "suppressed"],
    ["sms", "+15551234567", "delivered"],
    ["push", "fMEP0vJqS0:APA91bHqX-0004", "flaky"],
    ["push", "dev_0HC2ECXSATASBAN5W9948MRD02", "delivered"],
    ["telegram", "88110011", "suppressed"],
    ["telegram", "-1001234560003", "unreachable"],
    ["broadcast", "bounced", "bounced"],
    ["email", "0004@example.com", "delivered"],
    ["email", "someone@flaky.example", "delivered"],
  ] as const)("on %s %s stands for %s", (channel, to, outcome) => {
    expect(magicOutcome(channel, to)).toBe(outcome);
  });
});

describe("words and a picture", () => {
  const url = `https://cdn.example/${"x".repeat(1_900)}`;
  const faults = (
    text: string,
    file: { readonly url?: string },
    channel: "push" | "whatsapp" = "push",
  ) => codes(togetherFaults(channel, { text, subject: "Sale" }, [file]));

  it("of a push are as much together as its providers take, an attachment's link too", () => {
    expect(faults("x".repeat(900), { url })).toEqual([]);
    expect(faults("\u20ac".repeat(900), { url })).toEqual(["media too_long"]);
    expect(faults('"'.repeat(900), { url })).toEqual([]);
    expect(faults("\n".repeat(900), { url: `${url}${"y".repeat(180)}` })).toEqual([
      "media too_long",
    ]);
    expect(faults("\u{1f600}".repeat(900), {})).toEqual([]);
    expect(faults("\u{1f600}".repeat(930), {})).toEqual(["media too_long"]);
  });

  it("of other channels are bounded each by itself", () => {
    expect(faults("\u20ac".repeat(900), { url }, "whatsapp")).toEqual([]);
    const words = (text: string) => codes(togetherFaults("push", { text, subject: "Sale" }, []));
    expect(words("\u{1f600}".repeat(900))).toEqual([]);
    expect(words("\u{1f600}".repeat(975))).toEqual(["text too_long"]);
    expect(words("\u0001".repeat(650))).toEqual(["text too_long"]);
    expect(togetherFaults("telegram", { text: "\u20ac".repeat(4_000) }, [])).toEqual([]);
  });
});
