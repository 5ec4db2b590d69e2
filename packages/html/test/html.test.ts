import { expect, test } from "vitest";
import { html, link, page, raw } from "../src/index.ts";

test("what is put into a template is text, in elements and in attributes", () => {
  const stranger = `"><script>alert('1')</script>&`;
  const made = String(html`<p title="${stranger}">${stranger}</p>`);
  expect(made).not.toContain("<script>");
  expect(made).toBe(
    '<p title="&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;">&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;</p>',
  );
});

test("markup stands as it is, lists are joined, nothing shows nothing, and zero shows", () => {
  const items = ["a", "<b>"].map((item) => html`<li>${item}</li>`);
  expect(String(html`<ul>${items}</ul>${undefined}${null}${false}${0}${12n}`)).toBe(
    "<ul><li>a</li><li>&lt;b&gt;</li></ul>012",
  );
  expect(String(html`${raw("<hr>")}${[1n, 2n]}`)).toBe("<hr>12");
});

test.each([
  ["https://a.example/x?y=1#z", "https://a.example/x?y=1#z"],
  ["HTTPS://a.example", "HTTPS://a.example"],
  ["/console/messages", "/console/messages"],
  ["?after=1", "?after=1"],
  ["#top", "#top"],
  ["javascript:alert(1)", "#"],
  ["java\nscript:alert(1)", "#"],
  [" javascript:alert(1)", "#"],
  ["http://a.example/", "#"],
  ["//evil.example/", "#"],
  ["/\\evil.example/", "#"],
  ["/\t/evil.example/", "#"],
  ["https://user@evil.example/", "#"],
  ["https:evil.example", "#"],
  ["https://", "#"],
  ["data:text/html,x", "#"],
  ["", "#"],
])("a link to %j leads to %j", (address, leads) => {
  expect(link(address)).toBe(leads);
});

test("a document has what belongs into each, and its title is text", () => {
  const made = page({ title: "<x>", styles: ["/s.css"], body: html`<body></body>`, look: "live" });
  expect(made).toMatch(/^<!DOCTYPE html>\n<html lang="en" data-look="live">/);
  expect(made).toContain("<title>&lt;x&gt;</title>");
  expect(made).toContain('<link rel="stylesheet" href="/s.css">');
});
