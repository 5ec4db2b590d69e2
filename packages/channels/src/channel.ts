import type { Content, Replaced, Segments } from "@heliograph/contracts";
import type { MagicOutcome } from "./magic.ts";

/** What a field is, or what is wrong with it: a code to decide by and words that fit behind the field's name. */
export type Read<Value> =
  | { readonly kind: "read"; readonly value: Value }
  | { readonly kind: "fault"; readonly code: string; readonly message: string };

/** `to` is the one form of an address: it is stored, searched and sent. */
export type Recipient = {
  readonly to: string;
  /** What prices are looked up by: a number without its plus, "" where addresses have none. */
  readonly digits: string;
  /** ISO 3166-1 alpha-2, "" where an address tells none. */
  readonly country: string;
};

export type Field = "text" | "html" | "subject";
export type FileLook = { readonly type?: string | undefined; readonly name?: string | undefined };
export type Body = Pick<Content, Field>;

/** One way to reach people. Everything that differs from channel to channel and not from provider to provider is here. */
export type ChannelModule = {
  /** How messages speak of one: "an SMS". */
  readonly noun: string;
  readonly recipient: (text: string) => Read<Recipient>;
  /** The one form of an address that people write from and that is none to send to; left out, or undefined: it is as it came. */
  readonly writer?: (text: string) => string | undefined;
  /** A recipient may get another address there, of which the provider tells. */
  readonly moves?: true;
  /** Its recipients are names, which any word could be: a filter means one only where it names the channel too. */
  readonly takesNames?: true;
  /** Gives the form that is stored and sent. */
  readonly sender: (text: string) => Read<string>;
  /** What only mail has, each giving the form that is stored and sent. */
  readonly mail?: {
    readonly reply_to: (text: string) => Read<string>;
    readonly unsubscribe_url: (text: string) => Read<string>;
  };
  /** Most characters of what it carries; what is not here it does not carry. */
  readonly limits: Readonly<Partial<Record<Field, number>>>;
  /** Most files that go with one; left out where it carries none. */
  readonly media?: number;
  /** Most bytes of them together; left out where the provider decides. */
  readonly mediaBytes?: number;
  /** Most bytes of its words, the addresses of its files and the options of a push together, as JSON has them; left out where each is bounded alone. */
  readonly bytesTogether?: number;
  /** Whether it takes what an application on a device is told, and how the device shows it. */
  readonly pushes?: true;
  /** Whether an address of a file is fetched when the message is accepted: its messages carry the files themselves. */
  readonly fetchesMedia?: true;
  /** Whether it carries a file of this type and name, as far as they are known; left out where it carries every one. */
  readonly file?: (file: FileLook) => Read<FileLook>;
  /** Of each group there must be one; the first is named when there is none. */
  readonly needs: readonly (readonly Field[])[];
  /** What it does not carry as the value of a template's variable; left out where it carries every one. */
  readonly value?: (text: string) => Read<string>;
  /** Replaces what makes a text longer to send than it looks; left out where nothing does. */
  readonly smartEncoding?: (text: string) => {
    readonly text: string;
    readonly replaced: readonly Replaced[];
  };
  /** How many messages a body is and is paid as. `languages`: whose national tables are known to all that may send it. */
  readonly segments: (body: Body, languages?: readonly number[]) => Segments;
  /** The outcome that an address of the sandbox stands for. */
  readonly magic: (to: string) => MagicOutcome;
};

export const read = <Value>(value: Value): Read<Value> => ({ kind: "read", value });
export const fault = (code: string, message: string): Read<never> => ({
  kind: "fault",
  code,
  message,
});
