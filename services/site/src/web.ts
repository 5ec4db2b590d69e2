import type { IncomingMessage, ServerResponse } from "node:http";
import { isOwnPost, readForm } from "@heliograph/html";
import type { Logger, Settings } from "@heliograph/runtime";
import { askEvaluation } from "./ask-evaluation.ts";
import type { Entry } from "./entry.ts";
import { ownFiles } from "./files.ts";
import { cacheOf } from "./headers.ts";
import { askFor, type Live } from "./live.ts";
import { buildSite, type Site } from "./site.ts";
import { ready, redirect, send, type Ready } from "./send.ts";

export type SiteOptions = {
  readonly settings: Pick<Settings, "siteUrl" | "publicUrl">;
  readonly logger: Logger;
  /** Where the REST surface answers. */
  readonly apiUrl: () => string;
  /** The headers that tell the API for whom the site asks. */
  readonly visitor: (address: string) => Readonly<Record<string, string>>;
};
type Request = IncomingMessage & { readonly ip?: string | undefined };

/** What others answer at the same origin. A test holds it against the routes that there are. */
const others =
  /^\/(?:api|console|callbacks|evaluations|healthz|readyz|metrics|asyncapi\.json)(?:\/|$)/;
/** How long prices and states are shown again before the platform is asked. */
const keptMs = 2_000;
/** Every field of the form at its longest, each character percent-encoded, is less. */
const maxFormBytes = 32_768;
const pricesCache = "public, max-age=60";
const htmlType = "text/html; charset=utf-8";

/** The site as a part of a server. It is built at its first request: who only sends messages needs none of it. */
export class SitePages {
  readonly #options: SiteOptions;
  readonly #ready = new Map<string, Ready>();
  readonly #asked = new Map<keyof Live, { readonly until: number; readonly live: Promise<Live> }>();
  #built: Site | undefined;

  constructor(options: SiteOptions) {
    this.#options = options;
  }

  /** Everything that nobody else answers, so that a mistyped address is a page that helps. */
  serves(path: string): boolean {
    return !others.test(path);
  }

  /** Answers the request; never rejects. */
  async handle(request: Request, response: ServerResponse): Promise<void> {
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    try {
      await this.#answer(request, response, path);
    } catch (error) {
      this.#options.logger.error({ err: error, path }, "a page of the site failed");
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { "Content-Type": "text/plain" }).end("Something went wrong.\n");
    }
  }

  async close(): Promise<void> {}

  get #site(): Site {
    if (this.#built === undefined) {
      const { settings, apiUrl } = this.#options;
      const here = `http://localhost:${new URL(apiUrl()).port}`;
      const api = settings.publicUrl ?? settings.siteUrl ?? here;
      this.#built = buildSite(ownFiles, { site: settings.siteUrl ?? api, api });
    }
    return this.#built;
  }

  async #answer(request: Request, response: ServerResponse, path: string): Promise<void> {
    const { origins, entries, assets, notFound } = this.#site;
    if (request.method === "POST" && path === "/evaluation") return this.#take(request, response);
    const right = this.#rightAddress(path);
    if (right !== undefined) {
      const query = request.url!.slice(path.length);
      return redirect(request, response, 308, `${right}${query}`, origins);
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", path === "/evaluation" ? "GET, HEAD, POST" : "GET, HEAD");
      return send(request, response, 405, this.#page(notFound), origins);
    }
    const entry = entries.get(path);
    if (entry !== undefined)
      return send(request, response, 200, await this.#livePage(entry), origins);
    if (assets.has(path)) return send(request, response, 200, this.#file(path), origins);
    send(request, response, 404, this.#page(notFound), origins);
  }

  /** Where an address with slashes too many leads; undefined where it has none, or nothing is there. Two in front would lead to another host. */
  #rightAddress(path: string): string | undefined {
    const { entries, assets } = this.#site;
    const right = `/${path.replace(/^\/+|\/+$/g, "")}`;
    return right !== path && (entries.has(right) || assets.has(right)) ? right : undefined;
  }

  #file(path: string): Ready {
    const { type, body } = this.#site.assets.get(path)!;
    let found = this.#ready.get(path);
    // A date in it moves on.
    if (found === undefined || path.startsWith("/.well-known/")) {
      found = ready(type, body(), cacheOf(path));
      this.#ready.set(path, found);
    }
    return found;
  }

  #page(entry: Entry): Ready {
    let found = this.#ready.get(entry.path);
    if (found === undefined) {
      found = ready(htmlType, this.#site.page(entry, {}), cacheOf(entry.path));
      this.#ready.set(entry.path, found);
    }
    return found;
  }

  async #livePage(entry: Entry): Promise<Ready> {
    const { needs } = entry;
    if (needs === undefined) return this.#page(entry);
    // A form is that of one visitor.
    const live = await (needs === "form" ? this.#ask(needs) : this.#recent(needs));
    const cache = needs === "prices" ? pricesCache : undefined;
    return ready(htmlType, this.#site.page(entry, live), cache);
  }

  #ask(need: keyof Live): Promise<Live> {
    return askFor(need, this.#options.apiUrl(), this.#options.logger);
  }

  #recent(need: keyof Live): Promise<Live> {
    const now = performance.now();
    let asked = this.#asked.get(need);
    if (asked === undefined || asked.until < now) {
      asked = { until: now + keptMs, live: this.#ask(need) };
      this.#asked.set(need, asked);
    }
    return asked.live;
  }

  async #take(request: Request, response: ServerResponse): Promise<void> {
    const { origins, entries } = this.#site;
    const entry = entries.get("/evaluation")!;
    const again = (status: number, live: Live): void => {
      // What was not read is not taken for the next request.
      if (!request.complete) response.shouldKeepAlive = false;
      const page = ready(htmlType, this.#site.page(entry, live), undefined);
      send(request, response, status, page, origins);
    };
    const { host = "", "content-type": type } = request.headers;
    const isOwn = isOwnPost(request.headers, { origins: [`https://${host}`, `http://${host}`] });
    const given = isOwn ? await readForm(type, request, { maxBytes: maxFormBytes }) : "other";
    if (given === "other") {
      const { form } = await this.#ask("form");
      const faults = { form: "This came from another site. If that was you, send it from here." };
      return again(403, { form: { token: form?.token, values: {}, faults } });
    }
    const address = request.ip ?? request.socket.remoteAddress ?? "";
    const { apiUrl, visitor } = this.#options;
    const outcome = await askEvaluation(given, apiUrl(), visitor(address));
    if (outcome === "taken")
      return redirect(request, response, 303, "/evaluation/requested", origins);
    again(outcome.status, { form: outcome.form });
  }
}
