import { expect, test } from "vitest";
import { ownPath } from "../src/own-path.ts";

test.each([
  "/console",
  "/console/messages",
  "/console/messages?status=failed&attribute[a%20b]=%2F%2Fevil.example&to=https://evil.example/",
  "/console/usage/usage.csv?from=2026-05-01",
  "/console/contacts/cnt_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
])("leads to a page of ours: %s", (address) => {
  expect(ownPath(address)).toBe(address);
});

test.each([
  "",
  "/",
  "messages",
  "//evil.example",
  "///evil.example/console",
  "//evil.example/console",
  "\\\\evil.example\\console",
  "/\\evil.example/console",
  "\t//evil.example",
  "/\t/evil.example/console",
  "/%5cevil.example",
  "/%2f%2fevil.example",
  "/console/%5c%5cevil.example",
  "/console/%0d%0aLocation:%20https:%2f%2fevil.example",
  "/console//evil.example",
  "/console/..//evil.example",
  "/console/%2e%2e//evil.example",
  "/console/../../evil",
  "/consoles",
  "/console@evil.example",
  "https://evil.example/console",
  "https:evil.example/console",
  "http://console.invalid@evil.example/console",
  "javascript:alert(1)//console",
  "data:text/html,/console",
])("leads nowhere else: %j", (address) => {
  expect(ownPath(address)).toBe("/console");
});

test("what a browser would read otherwise is given as it was read", () => {
  expect(ownPath("/console\\messages")).toBe("/console/messages");
  expect(ownPath("/con\nsole?a=\r\nSet-Cookie: x")).toBe("/console?a=Set-Cookie:%20x");
  expect(ownPath("/console?a=\u202e<script>")).toBe("/console?a=%E2%80%AE%3Cscript%3E");
});
