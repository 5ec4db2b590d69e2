/** What an address of the provider's API answers to GET, read up to a bound. */
export type AskProvider = (
  url: string,
  headers: Readonly<Record<string, string>>,
) => Promise<{ readonly status: number; readonly body: string }>;
/** Where a file is, for a few minutes at least. It may hold credentials: it is shown to nobody. */
export type FileAddress = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** At the address that the operator configured, which may be any; else it has to pass the address guard. */
  readonly isConfigured: boolean;
  /** How much it is, where the provider says so with its address. */
  readonly bytes?: number | undefined;
};
const lasting: ReadonlySet<string> = new Set(["gone", "too_large"]);

/** Why there is no file; `permanent`: asking again does not help. */
export class NoReceivedFile extends Error {
  readonly code: "gone" | "too_large" | "no_room" | "refused" | "unreachable";
  readonly permanent: boolean;

  constructor(code: NoReceivedFile["code"], message: string) {
    super(message);
    this.code = code;
    this.permanent = lasting.has(code);
  }
}

/** What a status other than 200 means, where the provider's words say no more. `missing`: those by which it says that there is no such file. */
export function refusedFile(status: number, missing: readonly number[]): NoReceivedFile {
  const code = missing.includes(status) ? "gone" : status < 500 ? "refused" : "unreachable";
  return new NoReceivedFile(code, `the provider answers ${status}`);
}
