import { DemoError } from "./start.ts";

const timeoutMs = 10_000;

export type Answer<Body> = {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
};
type Options = {
  readonly body?: object;
  readonly key?: string;
  /** Beyond the usual time: a long poll answers late on purpose. */
  readonly extraMs?: number;
  /** Also after an interrupt: takes away what was made. */
  readonly cleanup?: boolean;
};

export type Api = {
  call<Body>(method: string, path: string, options?: Options): Promise<Answer<Body>>;
  /** As `call`, but throws DemoError with the problem's text when the status is not 2xx. */
  need<Body>(method: string, path: string, options?: Options): Promise<Body>;
};

/** The REST API below `/api/v1` with one key. Every call has a deadline; `signal` ends all of them. */
export function connectApi(baseUrl: string, apiKey: string, signal: AbortSignal): Api {
  async function call<Body>(method: string, path: string, options: Options = {}) {
    const { body, key, extraMs = 0, cleanup = false } = options;
    const limit = AbortSignal.timeout(timeoutMs + extraMs);
    try {
      const answer = await fetch(`${baseUrl}/api/v1${path}`, {
        method,
        signal: cleanup ? limit : AbortSignal.any([signal, limit]),
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body !== undefined && { "content-type": "application/json" }),
          ...(key !== undefined && { "idempotency-key": key }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      const parsed = (text === "" ? undefined : JSON.parse(text)) as Body;
      return { status: answer.status, body: parsed, headers: answer.headers };
    } catch (error) {
      if (signal.aborted && !cleanup) throw signal.reason;
      const why = limit.aborted
        ? `no answer within ${(timeoutMs + extraMs) / 1000} s`
        : String((error as Error).cause ?? error);
      throw new DemoError(`${method} ${baseUrl}/api/v1${path}: ${why}`);
    }
  }
  return {
    call,
    async need<Body>(method: string, path: string, options?: Options) {
      const { status, body } = await call<Body>(method, path, options);
      if (status >= 200 && status < 300) return body;
      const { code, detail } = (body ?? {}) as { code?: string; detail?: string };
      throw new DemoError(`${method} ${path} was answered ${status} ${code ?? ""}: ${detail}`);
    },
  };
}
