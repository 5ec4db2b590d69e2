import { expect, test } from "vitest";
import { isOwnPost } from "../src/index.ts";

const own = "https://heliograph.example";
type Given = {
  readonly fetchSite?: string;
  readonly origin?: string;
  readonly token?: string;
  readonly wanted?: string | undefined;
};
const from = ({ fetchSite, origin, token, ...given }: Given): boolean =>
  isOwnPost(
    {
      ...(fetchSite !== undefined && { "sec-fetch-site": fetchSite }),
      ...(origin !== undefined && { origin }),
    },
    { origins: [own], token, wanted: "wanted" in given ? given.wanted : "right" },
  );

test.each([
  ["a form of ours", { fetchSite: "same-origin", origin: own, token: "right" }, true],
  [
    "a form of ours on a page without a referrer",
    { fetchSite: "same-origin", origin: "null", token: "right" },
    true,
  ],
  ["a form of ours without its token", { fetchSite: "same-origin", origin: own }, false],
  ["a form sent again by the person", { fetchSite: "none", token: "right" }, true],
  ["an address typed by the person", { fetchSite: "none" }, false],
  ["another site", { fetchSite: "cross-site", origin: "https://evil.example" }, false],
  ["another site that got hold of a token", { fetchSite: "cross-site", token: "right" }, false],
  ["a sandboxed frame", { fetchSite: "cross-site", origin: "null", token: "right" }, false],
  ["a neighbour under the same domain", { fetchSite: "same-site", token: "right" }, false],
  [
    "a form of ours with another session's token",
    { fetchSite: "same-origin", token: "wrong" },
    false,
  ],
  ["a browser without metadata", { origin: own, token: "right" }, true],
  ["a browser without metadata, without the token", { origin: own }, false],
  ["another site in such a browser", { origin: "https://evil.example", token: "right" }, false],
  ["no origin in such a browser, with the token", { origin: "null", token: "right" }, true],
  ["no origin in such a browser, without it", { origin: "null" }, false],
  ["a program with the token", { token: "right" }, true],
  ["a program without it", {}, false],
  ["a program with half of it", { token: "righ" }, false],
  ["a sign-in by a program", { wanted: undefined }, true],
  ["a sign-in in a browser", { wanted: undefined, fetchSite: "same-origin" }, true],
  ["a sign-in from another site", { wanted: undefined, fetchSite: "cross-site" }, false],
  [
    "a sign-in from a sandboxed frame without metadata",
    { wanted: undefined, origin: "null" },
    false,
  ],
] as const)("%s", (_what, given, passes) => {
  expect(from(given)).toBe(passes);
});
