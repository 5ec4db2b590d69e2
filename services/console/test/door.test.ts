import { createHmac } from "node:crypto";
import { createServer, request } from "node:http";
import { once } from "node:events";
import { serveApi } from "@heliograph/api";
import { afterFile } from "@heliograph/testkit";
import { describe, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { allPages } from "../src/pages/index.ts";
import { form, hiddenIn, openDesk } from "./desk.ts";

const { world, keys, fetchPage, signedIn, read, press } = await openDesk();
const signIn = "/console/sign-in";

const cookieOf = (answer: Response): string =>
  answer.headers.getSetCookie()[0]?.split(";")[0] ?? "none";

/** Makes somebody of the demo partner. */
async function person(name: string, more: object = {}) {
  const who = { email: `${name}@example.com`, password: `the password of ${name}` };
  const body = { name, role: "admin", ...who, ...more };
  const made = await world.call("POST", "/api/v1/agents", { key: keys.sandboxKey, body });
  if (made.status !== 201) throw new Error(made.text);
  return who;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** RFC 6238: six digits of a secret as apps take it, at a step of thirty seconds from now. */
function codeOf(secret: string, ahead: number): string {
  const bits = Array.from(secret)
    .map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const bytes = bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const mac = createHmac("sha1", Buffer.from(bytes)).update(step).digest();
  const at = mac.at(-1)! & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

describe("a code", () => {
  test("opens once beside the password; a wrong one, none and a used one open nothing", async () => {
    const ada = await person("ada");
    const cookie = await signedIn(ada);
    const offered = await press(cookie, "/console/me", "/console/me/totp");
    const shown = await read(cookie, offered.headers.get("location")!);
    const secret = /Secret<\/dt><dd><code>([A-Z2-7]+)/.exec(shown)![1]!;
    const recovery = /Recovery codes<\/dt><dd><code>([A-Z2-7-]+)/.exec(shown)![1]!;
    const confirm = "/console/me/totp/confirm";
    const setup = "/console/me?setup=1";
    expect((await press(cookie, setup, confirm, { totp: codeOf(secret, -1) })).status).toBe(303);

    const enter = (totp: string) => fetchPage(signIn, form({ ...ada, totp }));
    const refused = async (totp: string, words: string): Promise<void> => {
      const answer = await enter(totp);
      expect([answer.status, answer.headers.getSetCookie()]).toEqual([401, []]);
      expect(await answer.text()).toContain(words);
    };
    await refused("", "the six digits of your app");
    const code = codeOf(secret, 0);
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, "0");
    await refused(wrong, "the code is wrong");
    // As apps show it.
    const first = await enter(`${code.slice(0, 3)} ${code.slice(3)}`);
    expect(first.status).toBe(303);
    await read(cookieOf(first), "/console/messages");
    await refused(code, "the code is wrong");
    await refused(codeOf(secret, -1), "the code is wrong");
    expect((await enter(recovery)).status).toBe(303);
    await refused(recovery, "the code is wrong");
  });
});

describe("a session", () => {
  test("is a new one after each sign-in, whatever cookie came with it", async () => {
    const [bob, eve] = await Promise.all([person("bob"), person("eve")]);
    const planted = await signedIn(eve);
    const before = await read(planted, "/console");
    const entered = await fetchPage(signIn, form(bob, { cookie: planted }));
    const own = cookieOf(entered);
    expect(own).not.toBe(planted);
    const page = await read(own, "/console");
    expect(page).toContain("<bdi>bob</bdi>");
    expect(hiddenIn(page, "/console/sign-out")).not.toEqual(hiddenIn(before, "/console/sign-out"));
    // Who planted it holds nothing: neither the other's session nor the own one.
    expect((await fetchPage("/console/messages", { headers: { cookie: planted } })).status).toBe(
      303,
    );
    // One that nobody gave stays nobody's.
    const invented = "__Host-session=invented-by-somebody-else-0123456789abcdefghij";
    expect(cookieOf(await fetchPage(signIn, form(bob, { cookie: invented })))).not.toBe(invented);
    expect((await fetchPage("/console/messages", { headers: { cookie: invented } })).status).toBe(
      303,
    );
  });

  test("of one person has no form that counts in another's", async () => {
    const [bob, eve] = await Promise.all([
      signedIn(await person("bob2")),
      signedIn(await person("eve2")),
    ]);
    const theirs = hiddenIn(await read(eve, "/console/send"), "/console/send");
    const fields = { ...theirs, channel: "sms", to: "+15551230001", text: "x" };
    for (const headers of [{}, { "sec-fetch-site": "same-origin" }])
      expect(
        (await fetchPage("/console/send", form(fields, { cookie: bob, ...headers }))).status,
      ).toBe(403);
  });
});

describe("a post", () => {
  test("from elsewhere, or without its token, does nothing at any address", async () => {
    const cookie = await signedIn();
    const { csrf } = hiddenIn(await read(cookie, "/console"), "/console/sign-out");
    const paths = allPages
      .filter(({ method }) => method === "POST")
      .map(({ path }) => `/console${path.replaceAll(/:\w+/g, "x")}`);
    expect(paths.length).toBeGreaterThan(40);
    for (const path of [...paths, "/console/environment", "/console/sign-out"])
      for (const [fields, headers] of [
        [{ csrf: csrf! }, { "sec-fetch-site": "cross-site" }],
        [{ csrf: csrf! }, { origin: "https://evil.example" }],
        [{}, { "sec-fetch-site": "same-origin" }],
        [{ csrf: "" }, {}],
      ] as [Record<string, string>, Record<string, string>][]) {
        const answer = await fetchPage(path, form(fields, { cookie, ...headers }));
        expect([path, fields, headers, answer.status]).toEqual([path, fields, headers, 403]);
      }
    await read(cookie, "/console");
  });
});

describe("an address that came with a request", () => {
  test("leads to no other host, whoever asks and however it is written", async () => {
    const cookie = await signedIn();
    const { csrf } = hiddenIn(await read(cookie, "/console"), "/console/sign-out");
    for (const to of [
      "//evil.example",
      "\\\\evil.example",
      "/\\evil.example",
      "/%5cevil.example",
      "/%09/evil.example",
      "/console//evil.example",
      "/console/..//evil.example",
      "https://evil.example/console",
      "javascript:alert(1)",
    ]) {
      const asked = `${signIn}?to=${encodeURIComponent(to)}`;
      const shown = await (await fetchPage(asked)).text();
      expect(hiddenIn(shown, signIn)).toEqual({ to: "/console" });
      const back = { csrf: csrf!, environment: "sandbox", back: to };
      const places = await Promise.all([
        fetchPage(asked, { headers: { cookie } }),
        fetchPage("/console/environment", form(back, { cookie })),
      ]);
      for (const { headers } of places)
        expect([to, headers.get("location")]).toEqual([to, "/console"]);
    }
    const entered = await fetchPage(signIn, form({ ...keys.agent, to: "/\\evil.example" }));
    expect(entered.headers.get("location")).toBe("/console");
  });

  test.each(["//evil.example/", "/console//evil.example//", "/console/%5cevil.example/"])(
    "nor does the path itself: %s",
    async (path) => {
      // A client that reads no path as a host.
      const asked = request({ host: "127.0.0.1", port: world.port, path }).end();
      const [answer] = await once(asked, "response");
      answer.resume();
      const { location = "/" } = answer.headers as { location?: string };
      expect(new URL(location, "http://own.example/").host).toBe("own.example");
    },
  );
});

describe("while the platform is away", () => {
  test("every page says what to do, in words, with another try, and shows nothing of the machinery", async () => {
    const cookie = await signedIn();
    const { csrf } = hiddenIn(await read(cookie, "/console"), "/console/sign-out");
    // A port where nobody listens: the console is a process of its own.
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port: closed } = gone.address() as { port: number };
    gone.close();
    const { platform } = world;
    const alone = await serveApi(
      {
        ...platform,
        settings: { ...platform.settings, apiUrl: `http://127.0.0.1:${closed}` },
        environments: platform.contexts,
      },
      [service],
    );
    afterFile(() => alone.stop());
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${alone.port}${path}`, { redirect: "manual", ...init });
    const gets = allPages
      .filter(
        ({ method, path }) =>
          method === "GET" && !["/shortcuts", "/wallet/statements"].includes(path),
      )
      .map(({ path }) => `/console${path.replaceAll(/:\w+/g, "x")}`);
    expect(gets.length).toBeGreaterThan(50);
    for (const path of gets) {
      // Those with a form that sends are below an address that has the form's key.
      const search = ["/console/send", "/console/batch"].includes(path) ? "?key=a" : "?q=a";
      const answer = await ask(path + search, { headers: { cookie } });
      const text = await answer.text();
      // A form without anything of the platform in it is shown as it is.
      if (answer.status === 200) {
        expect([path, text.includes("<form")]).toEqual([path, true]);
        continue;
      }
      expect([path, answer.status]).toEqual([path, 502]);
      expect(text).toContain("The platform does not answer");
      expect([path, text.includes(`href="${path}${search}">Try again</a>`)]).toEqual([path, true]);
      expect(text).not.toMatch(/ECONNREFUSED|fetch failed|\bat .*\.ts|127\.0\.0\.1|node:/);
    }
    const sent = await ask(
      "/console/send",
      form({ csrf: csrf!, channel: "sms", to: "+15551230001", text: "x" }, { cookie }),
    );
    expect([sent.status, (await sent.text()).includes("it acts once")]).toEqual([502, true]);
    const entering = await ask(signIn, form(keys.agent));
    expect([entering.status, (await entering.text()).includes("does not answer")]).toEqual([
      502,
      true,
    ]);
    // The way in is there, and so is the way out.
    expect((await ask(signIn)).status).toBe(200);
    expect((await ask("/console/sign-out", form({ csrf: csrf! }, { cookie }))).status).toBe(303);
  });
});
