import { formOf } from "@heliograph/html";
import { expect, test } from "vitest";
import type { Shown, Visit } from "../src/page.ts";
import { routingPages } from "../src/pages/routing.ts";

test("gateways to choose from are named up to a bound, and it is said that there are more", async () => {
  const { answer } = routingPages.find(
    ({ method, path }) => method === "GET" && path === "/routing/rules",
  )!;
  const hintOf = async (count: number, next_cursor: string | null): Promise<string> => {
    const data = Array.from({ length: count }, (_, at) => ({ id: `gtw_${at}`, name: `g${at}` }));
    const api = {
      get: async () => ({ data, next_cursor }),
      read: async () => ({ body: { environment: "sandbox", rules: [] }, etag: '"1"' }),
    };
    const visit = { api, form: formOf([]), environment: "sandbox", csrf: "", origin: "" };
    const { body } = (await answer(visit as unknown as Visit)) as Shown;
    return /In their order\. ([^<]*)/.exec(String(body))![1]!;
  };
  expect(await hintOf(2, null)).toBe("There is g0, g1.");
  expect(await hintOf(25, null)).toMatch(/g19, and 5 more\.$/);
  expect(await hintOf(100, "next")).toContain("there are more");
});
