import { expect, test } from "vitest";
import { slackMessage } from "../src/slack/message.ts";

const told = {
  kind: "requested",
  company: "<!channel> & <https://evil.example|Acme>",
  name: "Eve *bold* :smile:",
  email: "eve@example.org",
  use_case: "<!here> &lt; `x`",
  website: "https://a.example/<x|y>",
  expected_volume: undefined,
  contact: { name: "A & <B>", email: "ann@example.org" },
  promised_by: "2026-03-03T10:00:00.000Z",
  link: "https://api.example.com/evaluations/take/evl_1.x",
} as const;

type Node = Readonly<Record<string, unknown>>;
const nodesIn = (value: unknown): readonly Node[] =>
  Array.isArray(value)
    ? value.flatMap(nodesIn)
    : typeof value === "object" && value !== null
      ? [value as Node, ...Object.values(value).flatMap(nodesIn)]
      : [];

test("what a visitor wrote is no markup, in the text and in the blocks alike", () => {
  const { text, blocks } = slackMessage(told);
  expect(text).toContain("Company: &lt;!channel&gt; &amp; &lt;https://evil.example|Acme&gt;");
  expect(text).toContain("Use case: &lt;!here&gt; &amp;lt; `x`");
  expect(text).toContain("Contact: A &amp; &lt;B&gt;");
  expect(text).not.toMatch(/[<>]/);
  const texts = nodesIn(blocks).filter(({ type }) => type === "plain_text" || type === "mrkdwn");
  const marked = texts.filter(({ type }) => type === "mrkdwn").map((node) => node["text"]);
  // The one link, whose target ends where it should.
  expect(marked).toEqual(["<https://a.example/%3Cx%7Cy%3E|Website>"]);
  const plain = texts.filter(({ type }) => type === "plain_text");
  expect(plain.map((node) => node["text"])).toContain(`Company\n${told.company}`);
  expect(plain.every((node) => node["emoji"] === false)).toBe(true);
});

test("the longest text that is taken fits Slack's blocks", () => {
  const long = slackMessage({ ...told, use_case: "&".repeat(2_000), company: "😀".repeat(200) });
  const [header, fields, useCase] = long.blocks as readonly {
    text?: { text: string };
    fields?: readonly { text: string }[];
  }[];
  expect(header!.text!.text.length).toBeLessThanOrEqual(150);
  expect(useCase!.text!.text.length).toBeLessThanOrEqual(3_000);
  expect(fields!.fields!.length).toBeLessThanOrEqual(10);
  for (const { text } of fields!.fields!) expect(text.length).toBeLessThanOrEqual(2_000);
});
