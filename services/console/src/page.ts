import type { Environment } from "@heliograph/contracts";
import type { Form, Html } from "@heliograph/html";
import type { Api } from "./platform-session.ts";
import type { Told, Who } from "./sessions.ts";

/** What a page is given: who asks for it, and with what. */
export type Visit = {
  readonly who: Who;
  readonly environment: Environment;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Form;
  /** Empty where nothing was posted. */
  readonly form: Form;
  /** What stands in every form, hidden. */
  readonly csrf: string;
  /** Where people reach us, for examples. */
  readonly origin: string;
  readonly api: Api;
};

export type Shown = {
  readonly title: string;
  readonly body: Html;
  readonly status?: number;
  /** In place of the title where it holds a stranger's words. */
  readonly heading?: Html;
};
/** A path of our own, and what is told there, once. */
export type Led = Told & { readonly to: string };

/** A file of the platform, handed on under its own name. */
export type Handed = { readonly file: globalThis.Response };

export type Page = {
  readonly method: "GET" | "POST";
  /** Below `/console`. */
  readonly path: string;
  /** The entry of the navigation that it belongs to, by its path. */
  readonly section: string;
  /** It has regions that are kept up to date (`live/region.ts`); no other page is. */
  readonly live?: true;
  readonly answer: (visit: Visit) => Promise<Shown | Led | Handed>;
};

export const base = "/console";

export const shown = (title: string, body: Html, status?: number): Shown => ({
  title,
  body,
  ...(status !== undefined && { status }),
});
