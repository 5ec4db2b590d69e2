import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { until } from "@heliograph/testkit";
import { expect, onTestFinished, test } from "vitest";
import { copiesOf, toldBy } from "./balancer.ts";
import { openFront } from "./front.ts";

/** A front before one copy, which answers as it is told. */
async function frontOf(answer: (path: string, response: ServerResponse) => void) {
  const copy = createServer((request, response) => answer(request.url!, response));
  await new Promise<void>((resolve) => void copy.listen(0, "127.0.0.1", resolve));
  const front = await openFront([`http://127.0.0.1:${(copy.address() as AddressInfo).port}`]);
  onTestFinished(async () => {
    await front.close();
    copy.closeAllConnections();
    copy.close();
  });
  return front;
}

test("a request is cut before its answer or amid it; a stream of events that ends so is none, nor one whose caller left", async () => {
  const front = await frontOf((path, response) => {
    if (path === "/readyz" || path === "/whole") return void response.end("whole");
    if (path === "/none") return void response.destroy();
    response.setHeader("content-type", path === "/events" ? "text/event-stream" : "text/csv");
    response.write("half");
    if (path !== "/left") setImmediate(() => void response.destroy());
  });
  const ask = async (path: string, signal?: AbortSignal): Promise<string> => {
    const answer = await fetch(front.url + path, { ...(signal && { signal }) });
    return answer.text();
  };
  expect(await ask("/whole")).toBe("whole");
  const leaving = new AbortController();
  const left = await fetch(`${front.url}/left`, { signal: leaving.signal });
  leaving.abort();
  await expect(left.text()).rejects.toThrow("abort");
  expect(front.seen).toEqual({ elsewhere: 0, nobody: 0, cut: [], streams: 0 });
  await expect(ask("/events")).rejects.toThrow("terminated");
  await expect(ask("/none")).rejects.toThrow("fetch failed");
  await expect(ask("/half")).rejects.toThrow("terminated");
  await until(() => front.seen.cut.length === 2, { what: "both are counted" });
  expect(front.seen).toEqual({
    elsewhere: 0,
    nobody: 0,
    cut: ["GET /none before its answer: socket hang up", "GET /half amid its answer"],
    streams: 1,
  });
});

test("of HAProxy's log and statistics is read what became of requests and copies", () => {
  const line = (ending: string, path: string): string =>
    `127.0.0.1:41210 [01/Dec/2026:02:16:56.062] heliograph copies/two 0/0/1/-1/110 ${ending} 0/0 "GET ${path} HTTP/1.1"`;
  expect(
    [
      line("502 209 - - SH-- 2/2/0/0/0", "/none"),
      line("200 145 - - SD-- 2/2/0/0/0", "/half"),
      line("504 145 - - sH-- 2/2/0/0/0", "/late"),
      line("200 103 - - ---- 2/2/0/0/+1", "/moved"),
      line("503 217 - - SC-- 2/2/0/0/+2", "/refused"),
      line("503 128 - - ---- 2/2/0/0/0", "/its-own-answer"),
      line("200 145 - - CD-- 2/2/0/0/0", "/caller-left"),
      "Server copies/one is DOWN, reason: Layer4 connection problem",
    ].map(toldBy),
  ).toEqual([
    { cut: "GET /none before its answer" },
    { cut: "GET /half amid its answer" },
    { cut: "GET /late before its answer" },
    { elsewhere: true },
    { nobody: true },
    undefined,
    undefined,
    undefined,
  ]);
  const csv = `# pxname,svname,qcur,scur,stot,status,weight,
heliograph,FRONTEND,,1,4,OPEN,,
copies,one,0,0,7,DOWN,1,
copies,two,0,0,6,UP 1/2,1,
copies,BACKEND,0,0,10,UP,1,
`;
  expect(copiesOf(csv)).toEqual([
    { ready: false, asked: 7 },
    { ready: true, asked: 6 },
  ]);
});
