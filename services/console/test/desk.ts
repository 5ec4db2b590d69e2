import { services } from "@heliograph/ingress";
import { ensureDemoPartner, type DemoKeys } from "@heliograph/platform";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterFile } from "@heliograph/testkit";

type Fields = Record<string, string>;

/** A platform with its console, and a browser's part of HTTP without a browser. */
export type Desk = {
  readonly world: World;
  readonly keys: DemoKeys;
  readonly base: string;
  /** Follows nothing. */
  fetchPage(path: string, init?: RequestInit): Promise<Response>;
  /** The cookie of a new session; of the demo agent where nobody is named. */
  signedIn(agent?: { readonly email: string; readonly password: string }): Promise<string>;
  /** The text of a page that answers with `status`, also under the address to which it leads where that names the key of its form. */
  read(cookie: string, path: string, status?: number): Promise<string>;
  /** Fills in the first form of a page that leads to `action`, and posts it there. */
  press(cookie: string, path: string, action: string, fields?: Fields): Promise<Response>;
  /** Says yes on a page that asks before it does something. */
  agree(cookie: string, question: Response, action: string): Promise<Response>;
};

export const form = (fields: Fields, headers: Fields = {}): RequestInit => ({
  method: "POST",
  headers,
  body: new URLSearchParams(fields),
});

/** The hidden fields of the first form that leads there. */
export const hiddenIn = (text: string, action: string): Fields => {
  const [found = ""] = text.split(`action="${action}"`).slice(1);
  const inputs = found
    .split("</form>")[0]!
    .matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g);
  const plain = (value: string): string => value.replaceAll("&quot;", '"').replaceAll("&amp;", "&");
  return Object.fromEntries([...inputs].map(([, name, value]) => [name, plain(value!)]));
};

/** Receivers of webhooks are on this machine. */
const env = { HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" };

export async function openDesk(): Promise<Desk> {
  const world = await openWorld({ services, consumers: "run", env });
  afterFile(() => world.close());
  const keys = await ensureDemoPartner(world.platform);
  const base = `http://127.0.0.1:${world.port}`;
  const fetchPage: Desk["fetchPage"] = (path, init = {}) =>
    fetch(base + path, { redirect: "manual", ...init });
  const read: Desk["read"] = async (cookie, path, status = 200) => {
    const first = await fetchPage(path, { headers: { cookie } });
    const to = first.headers.get("location") ?? "";
    const answer = /[?&]key=/.test(to) ? await fetchPage(to, { headers: { cookie } }) : first;
    const text = await answer.text();
    if (answer.status !== status) throw new Error(`${path} answers ${answer.status}: ${text}`);
    return text;
  };
  return {
    world,
    keys,
    base,
    fetchPage,
    read,
    async signedIn(agent = keys.agent) {
      const answer = await fetchPage("/console/sign-in", form({ ...agent }));
      if (answer.status !== 303) throw new Error(`the sign-in answers ${answer.status}`);
      return answer.headers.get("set-cookie")!.split(";")[0]!;
    },
    async press(cookie, path, action, fields = {}) {
      const text = await read(cookie, path);
      if (!text.includes(`action="${action}"`)) throw new Error(`${path} has no form to ${action}`);
      return fetchPage(action, form({ ...hiddenIn(text, action), ...fields }, { cookie }));
    },
    async agree(cookie, question, action) {
      const text = await question.text();
      if (question.status !== 200 || !text.includes('<form class="sheet grave"'))
        throw new Error(`nothing is asked: ${question.status} ${text}`);
      return fetchPage(action, form(hiddenIn(text, action), { cookie }));
    },
  };
}
